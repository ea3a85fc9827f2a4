// Command embedded is a program with the gateway inside, behind net/http and its mux, as bench/compare measures it beside the
// gateway's own listener.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/magpie-bridge/magpie"
)

const headerTimeout = 10 * time.Second

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	if err := serve(*listen); err != nil {
		fmt.Fprintln(os.Stderr, "embedded:", err)
		os.Exit(1)
	}
}

func serve(listen string) error {
	gw, err := magpie.New(magpie.Options{Development: true, NoConsole: true})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", gw.Handler())
	srv := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: headerTimeout}
	return srv.ListenAndServe()
}
