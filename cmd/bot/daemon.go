package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// A daemon is how one-shot commands find a running `bot serve`: the content of
// daemon.json in its state folder. It holds no secret. The lock on the folder is the
// truth about who runs; after kill -9 the file stays behind and says nothing.
type daemon struct {
	URL string `json:"url"`
	PID int    `json:"pid"`
}

func daemonFile(state string) string { return filepath.Join(state, "daemon.json") }

func readDaemon(state string) (daemon, error) {
	var d daemon
	data, err := os.ReadFile(daemonFile(state))
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(data, &d)
}

// write makes the file whole or not at all, readable by its owner alone.
func (d daemon) write(state string) error {
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	temp := daemonFile(state) + ".tmp"
	if err := os.WriteFile(temp, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, daemonFile(state))
}

// alive says whether a bot answers at the daemon's address.
func (d daemon) alive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL+"/livez", nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// localURL is where this machine reaches a listener: one on all addresses through
// loopback.
func localURL(addr net.Addr) string {
	host, port, _ := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
