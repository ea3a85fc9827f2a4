package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/magpie-bridge/magpie/internal/api"
	"github.com/magpie-bridge/magpie/protocol/gen/magpie/v1/magpiev1connect"
	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

// maxPage is the most that the server API lists at once.
const maxPage = 1000

// askService calls a method of the gateway's server API. What goes wrong is explained as for a line.
func askService[Q, A any](
	ctx context.Context, f *lineFlags, q *Q,
	method func(magpiev1connect.GatewayServiceClient, context.Context, *connect.Request[Q]) (*connect.Response[A], error),
) (*A, error) {
	opts := f.options()
	if err := checkURL(opts.URL); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	request := connect.NewRequest(q)
	if opts.Token != "" {
		request.Header().Set("Authorization", "Bearer "+opts.Token)
	}
	client := magpiev1connect.NewGatewayServiceClient(http.DefaultClient, serviceURL(opts.URL))
	answer, err := method(client, ctx, request)
	if err != nil {
		return nil, explain(lineError(err), opts)
	}
	return answer.Msg, nil
}

// serviceURL is where the server API of the gateway is whose lines begin at address.
func serviceURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.Scheme = strings.Replace(u.Scheme, "ws", "http", 1)
	u.Path = strings.TrimSuffix(u.Path, "/ws")
	u.RawQuery = ""
	return u.String()
}

// lineError makes an answer of the server API the error that a line would have given; others stay what they are.
func lineError(err error) error {
	failure, ok := errors.AsType[*connect.Error](err)
	if !ok || !connect.IsWireError(err) {
		return err
	}
	return &magpieclient.Error{Code: magpieclient.Code(failure.Code().String()), Message: failure.Message()}
}

// checkLimit refuses what the server API would not list at once.
func checkLimit(limit int) error {
	if limit < 1 || limit > maxPage {
		return usagef("--limit %d: expected 1 to %d", limit, maxPage)
	}
	return nil
}

// writeJSON prints each message as one line of JSON.
func writeJSON[M proto.Message](w io.Writer, list ...M) error {
	for _, m := range list {
		line, err := api.AppendJSON(nil, m)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// writeTable prints a head and a row for each item, or nothing when there is none.
func writeTable[T any](w io.Writer, head string, list []T, row func(T) string) error {
	if len(list) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, head) // what fails is told by Flush
	for _, item := range list {
		fmt.Fprintln(table, row(item))
	}
	return table.Flush()
}

// sayMore tells how to go on where a list was longer than what was shown of it.
func sayMore(env environment, f *lineFlags, shown int, total int64, next string) {
	if next != "" && !f.quiet {
		say(env, "%d of %d; the next: --after %s", shown, total, inert(next))
	}
}
