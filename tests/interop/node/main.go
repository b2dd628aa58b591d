// Command node is a peer of Eddy's on go-libp2p and go-libp2p-kad-dht, set up as Spegel sets up its
// router, with the registry that Spegel's peers ask. Eddy's interoperability tests run it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// settings are the flags; those that Spegel has too have its names.
type settings struct {
	routerAddr   string
	registryAddr string
	metricsAddr  string
	content      string
	prefix       string
	quic         bool
	bootstrap    bootstrapSettings
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	if err := command(ctx); err != nil {
		slog.Error("the node failed", "error", err)
		os.Exit(1)
	}
}

func command(ctx context.Context) error {
	if len(os.Args) > 1 && os.Args[1] == "front" {
		return runFront(ctx, os.Args[2:])
	}
	return run(ctx, parseFlags())
}

func parseFlags() settings {
	var s settings
	var peers string
	flag.StringVar(&s.routerAddr, "router-addr", ":5001", "address of the router")
	flag.StringVar(&s.registryAddr, "registry-addr", ":5000", "address of the registry")
	flag.StringVar(&s.metricsAddr, "metrics-addr", ":9090", "address of what tests ask: /find, /advertise, /withdraw, /peers")
	flag.StringVar(&s.content, "content", "", "directory in OCI image layout whose content is served and advertised")
	flag.StringVar(&s.prefix, "dht-prefix", "/spegel", "prefix of the DHT's protocol")
	flag.BoolVar(&s.quic, "quic", true, "listen on QUIC besides TCP")
	flag.StringVar(&s.bootstrap.kind, "bootstrap-kind", "", "dns, http or static; empty: wait to be found")
	flag.StringVar(&s.bootstrap.domain, "dns-bootstrap-domain", "", "name whose addresses are peers")
	flag.StringVar(&s.bootstrap.httpAddr, "http-bootstrap-addr", "", "address to serve /id on")
	flag.StringVar(&s.bootstrap.httpURL, "http-bootstrap-url", "", "where to ask for peers")
	flag.StringVar(&s.bootstrap.certDir, "http-bootstrap-cert-dir", "", "directory of ca.crt, tls.crt and tls.key for asking")
	flag.StringVar(&peers, "static-bootstrap-peers", "", "multiaddresses, separated by commas, with or without a peer id")
	flag.Parse()
	if peers != "" {
		s.bootstrap.peers = strings.Split(peers, ",")
	}
	return s
}

func run(ctx context.Context, s settings) error {
	_, registryPort, err := net.SplitHostPort(s.registryAddr)
	if err != nil {
		return fmt.Errorf("registry address: %w", err)
	}
	router, err := newRouter(s.routerAddr, s.prefix, s.quic)
	if err != nil {
		return err
	}
	defer router.close()
	// Tests read the identity from this line, under the name that Spegel gives it.
	slog.Info("starting p2p router", "id", router.host.ID(), "addresses", router.host.Addrs())

	store := &layout{directory: s.content}
	servers := []*http.Server{
		{Addr: s.registryAddr, Handler: newRegistry(store, router, registryPort)},
		{Addr: s.metricsAddr, Handler: newControl(router)},
	}
	if s.bootstrap.httpAddr != "" {
		servers = append(servers, &http.Server{Addr: s.bootstrap.httpAddr, Handler: identity(router.host)})
	}
	failed := make(chan error, len(servers)+1)
	for _, server := range servers {
		server.ReadHeaderTimeout = 10 * time.Second
		go func() { failed <- server.ListenAndServe() }()
		defer server.Close()
	}
	go router.stayConnected(ctx, s.bootstrap)
	go func() { failed <- advertiseContent(ctx, store, router) }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
}

// advertiseContent makes what the layout holds findable, and what is added later.
func advertiseContent(ctx context.Context, store *layout, router *router) error {
	advertised := map[string]bool{}
	for {
		keys, err := store.keys()
		if err != nil {
			return err
		}
		var added []string
		for _, key := range keys {
			if !advertised[key] {
				added = append(added, key)
				advertised[key] = true
			}
		}
		if err := router.advertise(ctx, added); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
