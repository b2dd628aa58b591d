package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p-kad-dht/provider"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	mc "github.com/multiformats/go-multicodec"
	mh "github.com/multiformats/go-multihash"
)

// Spegel's intervals.
const (
	reprovideInterval = 15 * time.Minute
	reprovideDelay    = 2 * time.Minute
	providerAddrTTL   = time.Hour
	onlineCheck       = 30 * time.Second
)

// router finds peers by keys and makes own keys known, in the DHT that Spegel forms.
type router struct {
	host      host.Host
	dht       *dht.IpfsDHT
	provider  *provider.SweepingProvider
	connected atomic.Bool
	// lost tells that a lost connection to the network was noticed.
	lost chan struct{}
}

// newRouter listens. The security protocols are the library's defaults, TLS and Noise.
func newRouter(addr, prefix string, quic bool) (*router, error) {
	listen, err := listenAddrs(addr, quic)
	if err != nil {
		return nil, err
	}
	transports := []libp2p.Option{libp2p.NoTransports, libp2p.Transport(tcp.NewTCPTransport)}
	if quic {
		transports = append(transports, libp2p.Transport(libp2pquic.NewTransport))
	}
	h, err := libp2p.New(
		libp2p.ListenAddrs(listen...),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.AddrsFactory(announced(listen)),
		libp2p.ChainOptions(transports...),
	)
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	r := &router{host: h, lost: make(chan struct{}, 1)}
	r.lost <- struct{}{}
	r.dht, err = dht.New(h,
		dht.Mode(dht.ModeServer),
		dht.ProtocolPrefix(protocol.ID(prefix)),
		dht.ProviderManagerOpts(
			records.ProvideValidity(reprovideInterval+2*reprovideDelay),
			records.ProviderAddrTTL(providerAddrTTL),
		),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("DHT: %w", err), h.Close())
	}
	if err := r.startProvider(); err != nil {
		return nil, errors.Join(err, r.dht.Close(), h.Close())
	}
	return r, nil
}

func (r *router) startProvider() (err error) {
	r.provider, err = provider.New(
		provider.WithConnectivityCallbacks(r.online, r.disconnected, nil),
		provider.WithRouter(r.dht),
		provider.WithHost(r.host),
		provider.WithMessageSender(r.dht.MessageSender()),
		provider.WithSelfAddrs(r.host.Addrs),
		provider.WithReprovideInterval(reprovideInterval),
		provider.WithMaxReprovideDelay(reprovideDelay),
		provider.WithOfflineDelay(0),
		provider.WithConnectivityCheckOnlineInterval(onlineCheck),
		provider.WithAddLocalRecord(func(ctx context.Context, key mh.Multihash) error {
			return r.dht.ProviderStore().AddProvider(ctx, key, peer.AddrInfo{ID: r.host.ID()})
		}),
	)
	if err != nil {
		return fmt.Errorf("provider: %w", err)
	}
	return nil
}

func (r *router) online() { r.connected.Store(true) }

func (r *router) disconnected() {
	r.connected.Store(false)
	select {
	case r.lost <- struct{}{}:
	default:
	}
}

func (r *router) close() {
	if err := errors.Join(r.provider.Close(), r.dht.Close(), r.host.Close()); err != nil {
		slog.Warn("the router did not close cleanly", "error", err)
	}
}

// ready is what Spegel calls ready: somebody is known, and the network was reached.
func (r *router) ready() bool {
	return r.dht.RoutingTable().Size() > 0 && r.connected.Load()
}

// advertise makes keys findable; it returns once they are queued.
func (r *router) advertise(ctx context.Context, keys []string) error {
	hashes, err := hashesOf(keys)
	if err != nil || len(hashes) == 0 {
		return err
	}
	for _, hash := range hashes {
		err := r.dht.ProviderStore().AddProvider(ctx, hash, peer.AddrInfo{ID: r.host.ID()})
		if err != nil {
			return fmt.Errorf("own record: %w", err)
		}
	}
	return r.provider.StartProviding(false, hashes...)
}

// withdraw stops advertising; records at other nodes live until they expire.
func (r *router) withdraw(keys []string) error {
	hashes, err := hashesOf(keys)
	if err != nil || len(hashes) == 0 {
		return err
	}
	return r.provider.StopProviding(hashes...)
}

// find yields the other holders of a key, count at most (0: all), until it is closed.
func (r *router) find(ctx context.Context, key string, count int) (<-chan peer.AddrInfo, error) {
	c, err := cidOf(key)
	if err != nil {
		return nil, err
	}
	others := make(chan peer.AddrInfo)
	go func() {
		defer close(others)
		for found := range r.dht.FindProvidersAsync(ctx, c, count) {
			if found.ID == r.host.ID() {
				continue
			}
			select {
			case others <- found:
			case <-ctx.Done():
			}
		}
	}()
	return others, nil
}

func cidOf(key string) (cid.Cid, error) {
	return cid.Prefix{Version: 1, Codec: uint64(mc.Raw), MhType: mh.SHA2_256, MhLength: -1}.
		Sum([]byte(key))
}

func hashesOf(keys []string) ([]mh.Multihash, error) {
	hashes := make([]mh.Multihash, 0, len(keys))
	for _, key := range keys {
		c, err := cidOf(key)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", key, err)
		}
		hashes = append(hashes, c.Hash())
	}
	return hashes, nil
}

// ipsOf are the different IP addresses of a peer, in the order in which it names them.
func ipsOf(addrs []ma.Multiaddr) []netip.Addr {
	var ips []netip.Addr
	seen := map[netip.Addr]bool{}
	for _, addr := range addrs {
		ip, err := manet.ToIP(addr)
		if err != nil {
			continue
		}
		if parsed, ok := netip.AddrFromSlice(ip); ok && !seen[parsed.Unmap()] {
			seen[parsed.Unmap()] = true
			ips = append(ips, parsed.Unmap())
		}
	}
	return ips
}

// announced leaves loopback addresses out, unless the node listens on loopback alone.
func announced(listen []ma.Multiaddr) func([]ma.Multiaddr) []ma.Multiaddr {
	alone := manet.IsIPLoopback(listen[0])
	return func(addrs []ma.Multiaddr) []ma.Multiaddr {
		return ma.FilterAddrs(addrs, func(addr ma.Multiaddr) bool {
			return alone || !manet.IsIPLoopback(addr)
		})
	}
}

// listenAddrs are all transports on one port; without a host, on IPv6 and IPv4.
func listenAddrs(addr string, quic bool) ([]ma.Multiaddr, error) {
	name, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("router address: %w", err)
	}
	hosts := []string{"/ip6/::", "/ip4/0.0.0.0"}
	if name != "" {
		ip, err := netip.ParseAddr(name)
		if err != nil {
			return nil, fmt.Errorf("router address: %w", err)
		}
		hosts = []string{"/ip4/" + name}
		if ip.Is6() {
			hosts = []string{"/ip6/" + name}
		}
	}
	var addrs []ma.Multiaddr
	for _, prefix := range hosts {
		texts := []string{prefix + "/tcp/" + port}
		if quic {
			// Before TCP, as Spegel announces them.
			texts = []string{prefix + "/udp/" + port + "/quic-v1", texts[0]}
		}
		for _, text := range texts {
			parsed, err := ma.NewMultiaddr(text)
			if err != nil {
				return nil, fmt.Errorf("router address: %w", err)
			}
			addrs = append(addrs, parsed)
		}
	}
	return addrs, nil
}
