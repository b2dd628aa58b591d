package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const maxKeysBytes = 64 << 20

// holder is one answer of /find.
type holder struct {
	ID        string   `json:"id"`
	Addresses []string `json:"addresses"`
	// Ms is the time from the start of the lookup.
	Ms float64 `json:"ms"`
}

// newControl is for tests alone, which ask the DHT directly: /peers, /find?key=KEY&count=N, and
// /advertise and /withdraw, whose body is one key a line.
func newControl(router *router) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /peers", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, router.dht.RoutingTable().ListPeers(), nil)
	})
	mux.HandleFunc("GET /find", func(w http.ResponseWriter, request *http.Request) {
		count, _ := strconv.Atoi(request.URL.Query().Get("count"))
		start := time.Now()
		found, err := router.find(request.Context(), request.URL.Query().Get("key"), count)
		if err != nil {
			reply(w, nil, err)
			return
		}
		holders := []holder{}
		for info := range found {
			ms := float64(time.Since(start).Microseconds()) / 1000
			one := holder{ID: info.ID.String(), Addresses: []string{}, Ms: ms}
			for _, addr := range info.Addrs {
				one.Addresses = append(one.Addresses, addr.String())
			}
			holders = append(holders, one)
		}
		reply(w, holders, nil)
	})
	mux.HandleFunc("POST /advertise", func(w http.ResponseWriter, request *http.Request) {
		keys, err := lines(request)
		if err == nil {
			err = router.advertise(request.Context(), keys)
		}
		reply(w, len(keys), err)
	})
	mux.HandleFunc("POST /withdraw", func(w http.ResponseWriter, request *http.Request) {
		keys, err := lines(request)
		if err == nil {
			err = router.withdraw(keys)
		}
		reply(w, len(keys), err)
	})
	return mux
}

func lines(request *http.Request) ([]string, error) {
	body, err := io.ReadAll(io.LimitReader(request.Body, maxKeysBytes))
	return strings.Fields(string(body)), err
}

func reply(w http.ResponseWriter, value any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(value)
}
