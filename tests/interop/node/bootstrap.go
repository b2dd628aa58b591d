package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

const (
	bootstrapTimeout = 30 * time.Second
	firstRetry       = 50 * time.Millisecond
	longestRetry     = 10 * time.Second
	// Peers of one answer that are used, as in Spegel.
	maxPeers = 3
)

// bootstrapSettings say how the first peers are found.
type bootstrapSettings struct {
	kind, domain, httpAddr, httpURL, certDir string
	peers                                    []string
}

// stayConnected looks for peers at the start and whenever all were lost.
func (r *router) stayConnected(ctx context.Context, s bootstrapSettings) {
	if s.kind == "" {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.lost:
		}
		for delay := firstRetry; !r.connected.Load(); delay = min(2*delay, longestRetry) {
			if err := r.meet(ctx, s); err != nil {
				slog.Warn("bootstrap failed", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(delay):
			}
		}
	}
}

// meet connects to the peers that are listed, and refreshes the routing table.
func (r *router) meet(ctx context.Context, s bootstrapSettings) error {
	ctx, cancel := context.WithTimeout(ctx, bootstrapTimeout)
	defer cancel()
	listed, err := listPeers(ctx, s)
	if err != nil {
		return err
	}
	var failed []error
	for _, info := range listed {
		if err := r.connect(ctx, info); err != nil {
			failed = append(failed, err)
		}
	}
	if r.dht.RoutingTable().Size() == 0 {
		return errors.Join(append(failed, errors.New("the routing table is empty"))...)
	}
	select {
	case err := <-r.dht.RefreshRoutingTable():
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *router) connect(ctx context.Context, info peer.AddrInfo) error {
	info.Addrs = r.complete(info.Addrs)
	if info.ID == r.host.ID() || isAny(info.Addrs, r.host.Addrs()) {
		return nil
	}
	if info.ID == "" {
		id, err := r.identify(ctx, info.Addrs)
		if err != nil {
			return err
		}
		info.ID = id
	}
	return r.host.Connect(ctx, info)
}

// identify learns a peer's identity: who answers a call for a made-up one shows its own.
func (r *router) identify(ctx context.Context, addrs []ma.Multiaddr) (peer.ID, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return "", err
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return "", err
	}
	err = r.host.Connect(ctx, peer.AddrInfo{ID: id, Addrs: addrs})
	r.host.Peerstore().ClearAddrs(id)
	r.host.Peerstore().RemovePeer(id)
	if mismatch, ok := errors.AsType[sec.ErrPeerIDMismatch](err); ok {
		return mismatch.Actual, nil
	}
	return "", fmt.Errorf("nobody showed an identity at %v: %w", addrs, err)
}

// complete gives addresses without a port those transports and ports that this node has.
func (r *router) complete(addrs []ma.Multiaddr) []ma.Multiaddr {
	var complete []ma.Multiaddr
	for _, addr := range addrs {
		if _, rest := ma.SplitFirst(addr); len(rest) > 0 {
			complete = append(complete, addr)
			continue
		}
		seen := map[string]bool{}
		for _, own := range r.host.Addrs() {
			_, transport := ma.SplitFirst(own)
			if !seen[transport.String()] {
				seen[transport.String()] = true
				complete = append(complete, ma.Join(addr, transport))
			}
		}
	}
	return complete
}

func isAny(addrs, others []ma.Multiaddr) bool {
	for _, addr := range addrs {
		if ma.Contains(others, addr) {
			return true
		}
	}
	return false
}

func listPeers(ctx context.Context, s bootstrapSettings) ([]peer.AddrInfo, error) {
	switch s.kind {
	case "dns":
		return fromDNS(ctx, s.domain)
	case "http":
		return fromHTTP(ctx, s.httpURL, s.certDir)
	case "static":
		return fromStrings(s.peers)
	default:
		return nil, fmt.Errorf("bootstrap kind %q, want dns, http or static", s.kind)
	}
}

func fromDNS(ctx context.Context, domain string) ([]peer.AddrInfo, error) {
	ips, err := net.DefaultResolver.LookupIP(ctx, "ip", domain)
	if err != nil {
		return nil, err
	}
	var infos []peer.AddrInfo
	for _, ip := range ips[:min(len(ips), 2*maxPeers)] {
		addr, err := manet.FromIP(ip)
		if err != nil {
			return nil, err
		}
		infos = append(infos, peer.AddrInfo{Addrs: []ma.Multiaddr{addr}})
	}
	return infos, nil
}

func fromStrings(texts []string) ([]peer.AddrInfo, error) {
	var infos []peer.AddrInfo
	for _, text := range texts {
		addr, err := ma.NewMultiaddr(text)
		if err != nil {
			return nil, err
		}
		transport, id := peer.SplitAddr(addr)
		infos = append(infos, peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{transport}})
	}
	return infos, nil
}

// fromHTTP asks as Spegel does: the JSON form of peer.AddrInfo, whose ID may be empty or missing.
func fromHTTP(ctx context.Context, url, certDir string) ([]peer.AddrInfo, error) {
	client, err := httpClient(certDir)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("bootstrap answer has status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	var entries []struct {
		ID    string
		Addrs []string
	}
	if err := json.Unmarshal(body, &entries); err != nil {
		return nil, err
	}
	var infos []peer.AddrInfo
	for _, entry := range entries[:min(len(entries), maxPeers)] {
		info := peer.AddrInfo{}
		if entry.ID != "" {
			if info.ID, err = peer.Decode(entry.ID); err != nil {
				return nil, err
			}
		}
		for _, text := range entry.Addrs {
			addr, err := ma.NewMultiaddr(text)
			if err != nil {
				return nil, err
			}
			info.Addrs = append(info.Addrs, addr)
		}
		infos = append(infos, info)
	}
	return infos, nil
}

func httpClient(certDir string) (*http.Client, error) {
	transport := &http.Transport{}
	if certDir == "" {
		return &http.Client{Transport: transport}, nil
	}
	authority, err := os.ReadFile(filepath.Join(certDir, "ca.crt"))
	if err != nil {
		return nil, err
	}
	certificate, err := tls.LoadX509KeyPair(
		filepath.Join(certDir, "tls.crt"), filepath.Join(certDir, "tls.key"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s/ca.crt holds no certificate", certDir)
	}
	transport.TLSClientConfig = &tls.Config{
		MinVersion:   tls.VersionTLS12,
		RootCAs:      pool,
		Certificates: []tls.Certificate{certificate},
	}
	return &http.Client{Transport: transport}, nil
}

// identity serves /id: a list of this node alone.
func identity(h host.Host) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/id", func(w http.ResponseWriter, _ *http.Request) {
		body, err := json.Marshal([]peer.AddrInfo{*host.InfoFromHost(h)})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Write(body)
	})
	return mux
}
