// Package app is the command lines of unpoison-worker and unpoison-grid.
package app

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

// Connection is how Temporal is reached. What no flag gives, the variables of Temporal's own programs do.
type Connection struct {
	address, namespace, keyFile   string
	cert, certKey, ca, serverName string
	encrypt, local                bool
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
	if !f.encrypt && os.Getenv("TEMPORAL_TLS") != "true" && cert == "" && ca == "" && name == "" && key == "" {
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

// Dial connects.
func (f *Connection) Dial() (client.Client, error) {
	o, err := f.options()
	if err != nil {
		return nil, err
	}
	c, err := client.Dial(o)
	if err != nil {
		return nil, fmt.Errorf("temporal at %s, namespace %s: %w", o.HostPort, o.Namespace, err)
	}
	return c, nil
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
