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
