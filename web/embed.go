// Package web carries the console: the page on which people watch logs and talk, built from src into dist.
//
// The files of dist are committed so that the gateway builds without Node.js; `npm ci && npm run build` makes them
// again, byte for byte.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Console gives the files of the console; index.html stands at its root. All of them work under a content security
// policy that allows nothing but files of the same origin.
func Console() fs.FS {
	console, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("web: the embedded console has no dist directory: " + err.Error())
	}
	return console
}
