package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/magpie-bridge/magpie/internal/selfsigned"
)

// secured is what is measured over TLS 1.3, which the servers do themselves, with an ECDSA key.
func secured() []measurement {
	rows := []measurement{
		{
			reading: reading{"fan-out 1 x 1,000, 1 in flight, TLS", "deliveries", perCPU},
			args:    []string{"fanout", "--connections", "1000", "--in-flight", "1"},
		},
		{
			reading: reading{"fan-out 1 x 1,000, 16 in flight, TLS", "deliveries", perCPU},
			args:    []string{"fanout", "--connections", "1000", "--in-flight", "16"},
		},
		{
			reading: reading{"100 channels x 10, at random, TLS", "deliveries", perCPU},
			args:    []string{"channels", "--connections", "1000", "--channels", "100", "--in-flight", "64"},
		},
		{
			reading: reading{"echo, 1,000 connections, TLS", "round trips", perCPU},
			args:    []string{"echo", "--connections", "1000"},
		},
		{
			reading: reading{"connect and subscribe, TLS", "lines", perCPU},
			args:    []string{"connect", "--connections", "1000"},
		},
		{
			reading: reading{"memory of an idle line of 1,000, TLS", "bytes", perLine},
			args:    []string{"idle", "--connections", "1000"},
		},
	}
	for i := range rows {
		rows[i].of = []string{magpie, goroutines, nats}
		rows[i].tls = true
	}
	return rows
}

// certificateOf is where the certificate of the server on a port is, and beside it the key.
func certificateOf(folder string, port int) string {
	return filepath.Join(folder, "bench-tls-"+strconv.Itoa(port), "cert.pem")
}

// tlsFiles makes the certificate and the key of the server on a port.
func tlsFiles(folder string, port int) (certFile, keyFile string, err error) {
	folder = filepath.Dir(certificateOf(folder, port))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", "", err
	}
	return selfsigned.Write(folder)
}

// magpieTLS is a part of Magpie's configuration; empty without TLS.
func (x *subject) magpieTLS(folder string, port int) (string, error) {
	if !x.tls {
		return "", nil
	}
	certFile, keyFile, err := tlsFiles(folder, port)
	return fmt.Sprintf("tls: {cert: %q, key: %q}\n", certFile, keyFile), err
}

// natsTLS is a part of NATS's configuration.
func (x *subject) natsTLS(folder string, port int) (string, error) {
	if !x.tls {
		return "no_tls: true", nil
	}
	certFile, keyFile, err := tlsFiles(folder, port)
	return fmt.Sprintf("tls { cert_file: %q, key_file: %q }", certFile, keyFile), err
}
