// Package app is the command lines of unpoison-worker and unpoison-grid.
package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/unpoison/unpoison/distributed/internal/work"
)

// Connection is how Temporal is reached. What no flag gives, the variables of Temporal's own programs do.
type Connection struct {
	address, namespace, keyFile   string
	cert, certKey, ca, serverName string
	encrypt, local                bool
	wait                          time.Duration
}

// Add adds the flags.
func (f *Connection) Add(fl *pflag.FlagSet) {
	fl.StringVar(&f.address, "temporal", "", "`HOST:PORT` of Temporal (TEMPORAL_ADDRESS)")
	fl.StringVar(&f.namespace, "namespace", "", "Temporal's namespace (TEMPORAL_NAMESPACE; default \"default\")")
	fl.StringVar(&f.keyFile, "api-key-file", "", "`FILE` with an API key (TEMPORAL_API_KEY is the key itself)")
	fl.BoolVar(&f.encrypt, "tls", false, "encrypt (TEMPORAL_TLS; an API key or a certificate implies it)")
	fl.StringVar(&f.cert, "tls-cert", "", "`FILE` with this client's certificate, PEM (TEMPORAL_TLS_CLIENT_CERT_PATH)")
	fl.StringVar(&f.certKey, "tls-key", "", "`FILE` with its private key, PEM (TEMPORAL_TLS_CLIENT_KEY_PATH)")
	fl.StringVar(&f.ca, "tls-ca", "", "`FILE` with who signed the server's, PEM (TEMPORAL_TLS_SERVER_CA_CERT_PATH)")
	fl.DurationVar(&f.wait, "wait", 0, "give up when Temporal has not answered for so long, as 5m (default: never)")
	fl.StringVar(&f.serverName, "tls-server-name", "", "the name in the server's (TEMPORAL_TLS_SERVER_NAME)")
}

// options reads flags, variables and files.
func (f *Connection) options() (client.Options, error) {
	o := client.Options{
		HostPort:  cmp.Or(f.address, os.Getenv("TEMPORAL_ADDRESS")),
		Namespace: cmp.Or(f.namespace, os.Getenv("TEMPORAL_NAMESPACE"), client.DefaultNamespace),
		Logger:    log.NewStructuredLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
	}
	if o.HostPort == "" {
		return o, errors.New("--temporal is required: HOST:PORT of Temporal; unpoison-grid dev starts one")
	}
	if f.local {
		o.Namespace = client.DefaultNamespace
		return o, nil
	}
	key := os.Getenv("TEMPORAL_API_KEY")
	if f.keyFile != "" {
		raw, err := os.ReadFile(f.keyFile)
		if err != nil {
			return o, err
		}
		if key = strings.TrimSpace(string(raw)); key == "" {
			return o, fmt.Errorf("%s holds no API key", f.keyFile)
		}
	}
	if key != "" {
		o.Credentials = client.NewAPIKeyStaticCredentials(key)
	}
	cert, certKey := cmp.Or(f.cert, os.Getenv("TEMPORAL_TLS_CLIENT_CERT_PATH")), cmp.Or(f.certKey, os.Getenv("TEMPORAL_TLS_CLIENT_KEY_PATH"))
	ca, name := cmp.Or(f.ca, os.Getenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH")), cmp.Or(f.serverName, os.Getenv("TEMPORAL_TLS_SERVER_NAME"))
	if (cert == "") != (certKey == "") {
		return o, errors.New("--tls-cert and --tls-key belong together")
	}
	encrypt, err := wantsTLS()
	if err != nil {
		return o, err
	}
	if !f.encrypt && !encrypt && cert == "" && ca == "" && name == "" && key == "" {
		return o, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, certKey)
		if err != nil {
			return o, fmt.Errorf("%s, %s: %w", cert, certKey, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if ca != "" {
		raw, err := os.ReadFile(ca)
		if err != nil {
			return o, err
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(raw) {
			return o, fmt.Errorf("%s holds no certificate in PEM", ca)
		}
	}
	o.ConnectionOptions.TLS = c
	return o, nil
}

// wantsTLS tells whether TEMPORAL_TLS asks for encryption.
func wantsTLS() (bool, error) {
	switch v := os.Getenv("TEMPORAL_TLS"); strings.ToLower(v) {
	case "", "0", "false":
		return false, nil
	case "1", "true":
		return true, nil
	default:
		return false, fmt.Errorf("TEMPORAL_TLS=%q, expected 1, true, 0 or false", v)
	}
}

// The first and the longest time between two tries to reach Temporal.
const firstPause, longestPause = time.Second, 30 * time.Second

// Dial connects. While Temporal does not answer it tries again, for as long as --wait says, and tells errs so.
func (f *Connection) Dial(ctx context.Context, errs io.Writer) (client.Client, error) {
	return Reach(ctx, f, errs, func(c client.Client) (client.Client, error) { return c, nil })
}

// Reach connects, and begins what needs Temporal at once. Where Temporal is not reached, both are tried again as Dial does.
func Reach[T any](ctx context.Context, f *Connection, errs io.Writer, begin func(client.Client) (T, error)) (begun T, err error) {
	o, err := f.options()
	if err != nil {
		return begun, err
	}
	start := time.Now()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		c, err := client.DialContext(ctx, o)
		if err == nil {
			if begun, err = begin(c); err == nil {
				return begun, nil
			}
			c.Close()
		}
		if ctx.Err() != nil {
			return begun, ctx.Err()
		}
		if err = fmt.Errorf("temporal at %s, namespace %s: %w", o.HostPort, o.Namespace, err); !work.Away(err) || f.wait > 0 && time.Since(start)+pause > f.wait {
			return begun, err
		}
		fmt.Fprintf(errs, "%v; trying again in %v\n", err, pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return begun, ctx.Err()
		}
	}
}

// defaultScratch is where workers keep runs in progress and copies of data.
func defaultScratch() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "unpoison", "worker")
}

// Local makes it a connection to a server on this machine, without variables and encryption.
func (f *Connection) Local(address string) { *f = Connection{address: address, local: true} }
