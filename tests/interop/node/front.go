package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// runFront serves a node's /id over TLS to those who show a certificate, as a control plane does.
func runFront(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("front", flag.ExitOnError)
	listen := flags.String("listen", ":5443", "address to listen on")
	certDir := flags.String("cert-dir", "", "directory of ca.crt, tls.crt and tls.key")
	to := flags.String("to", "", "base URL of what is behind it")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	target, err := url.Parse(*to)
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(filepath.Join(*certDir, "ca.crt"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return fmt.Errorf("%s/ca.crt holds no certificate", *certDir)
	}
	server := &http.Server{
		Addr:              *listen,
		Handler:           httputil.NewSingleHostReverseProxy(target),
		ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			ClientAuth: tls.RequireAndVerifyClientCert,
			ClientCAs:  pool,
		},
	}
	context.AfterFunc(ctx, func() { server.Close() })
	return server.ListenAndServeTLS(
		filepath.Join(*certDir, "tls.crt"), filepath.Join(*certDir, "tls.key"))
}
