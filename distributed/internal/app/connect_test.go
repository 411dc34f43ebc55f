package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// frontend is as much of Temporal as a client greets. It notes who did.
type frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer
	keys, clients []string
}

func (f *frontend) GetSystemInfo(ctx context.Context, _ *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	head, _ := metadata.FromIncomingContext(ctx)
	f.keys = append(f.keys, strings.Join(head["authorization"], ","))
	if p, ok := peer.FromContext(ctx); ok {
		for _, c := range p.AuthInfo.(credentials.TLSInfo).State.PeerCertificates {
			f.clients = append(f.clients, c.Subject.CommonName)
		}
	}
	return &workflowservice.GetSystemInfoResponse{}, nil
}

// certificate writes a certificate for a name, signed by itself, and its key.
func certificate(t *testing.T, name string) (cert, key string, pair tls.Certificate) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, c, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for path, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: raw}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if pair, err = tls.LoadX509KeyPair(cert, key); err != nil {
		t.Fatal(err)
	}
	return cert, key, pair
}

// dial connects with flags.
func dial(t *testing.T, flags ...string) error {
	t.Helper()
	var to Connection
	fl := pflag.NewFlagSet("test", pflag.ContinueOnError)
	to.Add(fl)
	if err := fl.Parse(append(flags, "--wait", "1ms")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	c, err := to.Dial(ctx, io.Discard)
	if err == nil {
		c.Close()
	}
	return err
}

// Certificates and API keys, by flags or by the variables of Temporal's programs, reach Temporal; without them, or with a server
// that nobody vouches for, there is no connection.
func TestCertificatesAndKeysReachTemporal(t *testing.T) {
	for _, v := range []string{"ADDRESS", "NAMESPACE", "API_KEY", "TLS", "TLS_CLIENT_CERT_PATH", "TLS_CLIENT_KEY_PATH", "TLS_SERVER_CA_CERT_PATH", "TLS_SERVER_NAME"} {
		t.Setenv("TEMPORAL_"+v, "")
	}
	serverCert, _, serverPair := certificate(t, "temporal.example.com")
	clientCert, clientKey, _ := certificate(t, "worker")
	own, err := os.ReadFile(clientCert)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(own)
	f := &frontend{}
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{serverPair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients})))
	workflowservice.RegisterWorkflowServiceServer(s, f)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	to := []string{"--temporal", l.Addr().String()}
	server := append(slices.Clone(to), "--tls-ca", serverCert, "--tls-server-name", "temporal.example.com")
	if err := dial(t, append(server, "--tls-cert", clientCert, "--tls-key", clientKey, "--api-key-file", keyFile)...); err != nil {
		t.Fatal(err)
	}
	if len(f.keys) != 1 || f.keys[0] != "Bearer secret" || len(f.clients) != 1 || f.clients[0] != "worker" {
		t.Errorf("Temporal was greeted with the keys %q by %q", f.keys, f.clients)
	}
	for name, flags := range map[string][]string{
		"no encryption":            to,
		"no certificate":           server,
		"a server nobody knows":    append(to, "--tls", "--tls-cert", clientCert, "--tls-key", clientKey),
		"a server of another name": append(to, "--tls-ca", serverCert, "--tls-server-name", "other", "--tls-cert", clientCert, "--tls-key", clientKey),
		"a certificate alone":      append(server, "--tls-cert", clientCert),
		"a key for a certificate":  append(server, "--tls-cert", clientKey, "--tls-key", clientKey),
		"no such key file":         append(server, "--api-key-file", keyFile+"2"),
	} {
		if err := dial(t, flags...); err == nil {
			t.Errorf("%s: connected", name)
		}
	}
	for v, value := range map[string]string{
		"ADDRESS": l.Addr().String(), "API_KEY": "other", "TLS_CLIENT_CERT_PATH": clientCert, "TLS_CLIENT_KEY_PATH": clientKey, "TLS_SERVER_CA_CERT_PATH": serverCert, "TLS_SERVER_NAME": "temporal.example.com",
	} {
		t.Setenv("TEMPORAL_"+v, value)
	}
	if err := dial(t); err != nil || f.keys[len(f.keys)-1] != "Bearer other" {
		t.Errorf("by variables: %v, greeted with %q", err, f.keys)
	}
}

// What TEMPORAL_TLS says is not passed over.
func TestEncryptionByTheVariable(t *testing.T) {
	for _, v := range []string{"API_KEY", "TLS_CLIENT_CERT_PATH", "TLS_CLIENT_KEY_PATH", "TLS_SERVER_CA_CERT_PATH", "TLS_SERVER_NAME"} {
		t.Setenv("TEMPORAL_"+v, "")
	}
	to := Connection{address: "temporal.example.com:7233"}
	for value, want := range map[string]bool{"": false, "0": false, "false": false, "1": true, "true": true, "True": true} {
		t.Setenv("TEMPORAL_TLS", value)
		if o, err := to.options(); err != nil || (o.ConnectionOptions.TLS != nil) != want {
			t.Errorf("TEMPORAL_TLS=%q: %+v, %v", value, o.ConnectionOptions.TLS, err)
		}
	}
	t.Setenv("TEMPORAL_TLS", "yes")
	if _, err := to.options(); err == nil || !strings.Contains(err.Error(), `TEMPORAL_TLS="yes"`) {
		t.Errorf("a value that says nothing: %v", err)
	}
}
