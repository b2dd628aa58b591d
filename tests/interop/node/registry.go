package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
)

// mirrored marks the request of a peer, which is never passed on.
const mirrored = "X-Spegel-Mirrored"

const (
	resolveTimeout = 2 * time.Second
	resolveRetries = 3
	headerTimeout  = time.Second
)

var (
	distributionPath = regexp.MustCompile(`^/v2/(.+)/(manifests|blobs)/([^/]+)$`)
	digestPattern    = regexp.MustCompile(`^sha256:[a-f0-9]{64}$`)
)

// wanted is what a pull asks for.
type wanted struct {
	url    string
	digest string
	// key is the digest, or the tag's whole name.
	key string
}

// registry answers pulls as Spegel does: from the layout, else from a peer.
type registry struct {
	store  *layout
	router *router
	port   string
	client *http.Client
}

func newRegistry(store *layout, router *router, port string) http.Handler {
	r := &registry{store: store, router: router, port: port, client: &http.Client{
		Transport: &http.Transport{ResponseHeaderTimeout: headerTimeout},
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !router.ready() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /v2/", r.serve)
	return mux
}

func (r *registry) serve(w http.ResponseWriter, request *http.Request) {
	want, ok := parse(request)
	if !ok {
		http.NotFound(w, request)
		return
	}
	digest := want.digest
	if digest == "" {
		digest = r.store.resolve(want.key)
	}
	if file, err := r.store.open(digest); err == nil {
		defer file.Close()
		w.Header().Set("Docker-Content-Digest", digest)
		w.Header().Set("Content-Type", mediaType(file, request.URL.Path))
		http.ServeContent(w, request, "", time.Time{}, file)
		return
	}
	if request.Header.Get(mirrored) == "true" {
		http.NotFound(w, request)
		return
	}
	r.mirror(w, request, want)
}

// mirror passes on what the first of a few peers has.
func (r *registry) mirror(w http.ResponseWriter, request *http.Request, want wanted) {
	ctx, cancel := context.WithTimeout(request.Context(), resolveTimeout)
	defer cancel()
	found, err := r.router.find(ctx, want.key, resolveRetries)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for info := range found {
		for _, ip := range ipsOf(info.Addrs) {
			if r.pass(w, request, net.JoinHostPort(ip.String(), r.port), want) {
				return
			}
		}
	}
	http.NotFound(w, request)
}

func (r *registry) pass(w http.ResponseWriter, request *http.Request, address string, want wanted) bool {
	ask, err := http.NewRequestWithContext(
		request.Context(), request.Method, "http://"+address+want.url, nil)
	if err != nil {
		return false
	}
	ask.Header.Set(mirrored, "true")
	if part := request.Header.Get("Range"); part != "" {
		ask.Header.Set("Range", part)
	}
	answer, err := r.client.Do(ask)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusPartialContent {
		return false
	}
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Range", "Docker-Content-Digest"} {
		if value := answer.Header.Get(name); value != "" {
			w.Header().Set(name, value)
		}
	}
	w.Header().Set("X-Peer", address)
	w.WriteHeader(answer.StatusCode)
	if _, err := io.Copy(w, answer.Body); err != nil {
		// A broken source breaks the connection: it must not look like a whole answer.
		panic(http.ErrAbortHandler)
	}
	return true
}

func parse(request *http.Request) (wanted, bool) {
	match := distributionPath.FindStringSubmatch(request.URL.Path)
	if match == nil {
		return wanted{}, false
	}
	want := wanted{url: request.URL.RequestURI()}
	if reference := match[3]; digestPattern.MatchString(reference) {
		want.digest, want.key = reference, reference
	} else if match[2] == "manifests" {
		want.key = request.URL.Query().Get("ns") + "/" + match[1] + ":" + reference
	}
	return want, want.key != ""
}

// mediaType is what a manifest says of itself.
func mediaType(file *os.File, path string) string {
	const unknown = "application/octet-stream"
	if !strings.Contains(path, "/manifests/") {
		return unknown
	}
	var manifest struct{ MediaType string }
	err := json.NewDecoder(io.LimitReader(file, 4<<20)).Decode(&manifest)
	if _, seek := file.Seek(0, io.SeekStart); err != nil || seek != nil || manifest.MediaType == "" {
		return unknown
	}
	return manifest.MediaType
}
