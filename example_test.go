package magpie_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/magpie-bridge/magpie"
)

func Example() {
	gw, err := magpie.New(magpie.Options{JWTSecret: "an example's secret of 32 bytes or more"})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/", gw.Handler())

	ctx := context.Background()
	for range 2 {
		position, err := gw.Publish(ctx, "order.update", magpie.Message{
			ID:   "order-7-paid",
			Data: map[string]any{"id": 7, "state": "paid"},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(position.Offset, position.Duplicate)
	}
	if err := gw.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 1 false
	// 1 true
}

func ExampleGateway_Handle() {
	gw, err := magpie.New(magpie.Options{JWTSecret: "an example's secret of 32 bytes or more"})
	if err != nil {
		fmt.Println(err)
		return
	}
	type order struct{ Symbol string }
	type quote struct{ Price float64 }
	gw.Handle("pricing.quote", magpie.Typed(func(_ context.Context, o order) (quote, error) {
		if o.Symbol != "ACME" {
			return quote{}, &magpie.Error{Code: "not_found", Message: "nobody trades " + o.Symbol}
		}
		return quote{Price: 12.5}, nil
	}))
	gw.Handle("report.build", func(ctx context.Context, r *magpie.Request) (any, error) {
		for page := range 3 {
			if err := r.Progress(map[string]int{"page": page}); err != nil {
				return nil, err // nobody waits any more
			}
		}
		return "three pages for " + r.UserID, nil
	})
	_ = gw.Shutdown(context.Background())
}
