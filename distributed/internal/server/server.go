// Package server runs a Temporal server in this process, for trying and for tests: one machine, SQLite, no encryption.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/resolver"
	schema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
)

const (
	host = "127.0.0.1"
	name = "unpoison" // of the cluster
)

// Server is a Temporal server that listens on this machine only.
type Server struct {
	Address string // HOST:PORT
	server  temporal.Server
}

// Start starts a server on a port (0: a free one) that keeps what it knows in a file, and goes on from there. It has
// the namespace.
func Start(file string, port int, namespace string) (*Server, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return nil, err
	}
	ports, err := freePorts(9)
	if err != nil {
		return nil, err
	}
	if port != 0 {
		ports[0] = port
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", host, port))
		if err != nil {
			return nil, fmt.Errorf("port %d: %w; choose another --port", port, err)
		}
		if err := l.Close(); err != nil {
			return nil, err
		}
	}
	db := tables(file, "wal")
	if err := prepare(file, db, namespace); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	c := configuration(db, ports)
	claims, err := authorization.GetClaimMapperFromConfig(&c.Global.Authorization, log.NewNoopLogger())
	if err != nil {
		return nil, err
	}
	s, err := temporal.NewServer(
		temporal.WithConfig(c), temporal.ForServices(temporal.DefaultServices), temporal.WithLogger(log.NewNoopLogger()),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return claims }),
	)
	if err != nil {
		return nil, err
	}
	if err := s.Start(); err != nil {
		return nil, err
	}
	return &Server{Address: c.PublicClient.HostPort, server: s}, nil
}

// Stop ends the server.
func (s *Server) Stop() error { return s.server.Stop() }

// tables is the database in a file, with SQLite's journal of a mode.
func tables(file, journal string) *config.SQL {
	return &config.SQL{PluginName: sqlite.PluginName, DatabaseName: file, ConnectAttributes: map[string]string{
		"mode": "rwc", "_journal_mode": journal, "_synchronous": "2",
	}}
}

// prepare makes the tables and the namespace where they are not there. Tables are all there or none, whatever kills the program.
func prepare(file string, c *config.SQL, namespace string) error {
	if _, err := os.Stat(file); os.IsNotExist(err) {
		part := tables(file+".partial", "delete") // one file
		for _, left := range []string{"", "-journal", "-wal", "-shm"} {
			if err := os.Remove(part.DatabaseName + left); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
		if err := schema.SetupSchema(part); err != nil {
			return err
		}
		if err := os.Rename(part.DatabaseName, file); err != nil {
			return err
		}
	}
	n, err := schema.NewNamespaceConfig(name, namespace, false, nil)
	if err != nil {
		return err
	}
	if err := schema.CreateNamespaces(c, n); err != nil {
		return err
	}
	return forget(c)
}

// forget strikes out the services of a server that was killed: a new one would try for minutes to join them.
func forget(c *config.SQL) error {
	db, err := sql.NewSQLDB(sqlplugin.DbKindUnknown, c, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return err
	}
	_, err = db.PruneClusterMembership(context.Background(), &sqlplugin.PruneClusterMembershipFilter{PruneRecordsBefore: time.Now().AddDate(100, 0, 0)})
	return errors.Join(err, db.Close())
}

// configuration is that of a cluster of one, whose services listen on the ports.
func configuration(tables *config.SQL, ports []int) *config.Config {
	c := &config.Config{}
	// A server that has not joined itself by then exits without a word; a machine that is busy takes long.
	c.Global.Membership = config.Membership{MaxJoinDuration: 10 * time.Minute, BroadcastAddress: host}
	c.Global.Metrics = &metrics.Config{Prometheus: &metrics.PrometheusConfig{ListenAddress: fmt.Sprintf("%s:%d", host, ports[8]), HandlerPath: "/metrics"}}
	c.Persistence = config.Persistence{
		DefaultStore: sqlite.PluginName, VisibilityStore: sqlite.PluginName, NumHistoryShards: 1,
		DataStores: map[string]config.DataStore{sqlite.PluginName: {SQL: tables}},
	}
	address := fmt.Sprintf("%s:%d", host, ports[0])
	c.ClusterMetadata = &cluster.Config{
		FailoverVersionIncrement: 10, MasterClusterName: name, CurrentClusterName: name,
		ClusterInformation: map[string]cluster.ClusterInformation{name: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: address}},
	}
	c.DCRedirectionPolicy = config.DCRedirectionPolicy{Policy: "noop"}
	c.PublicClient = config.PublicClient{HostPort: address}
	c.Services = map[string]config.Service{}
	for i, s := range []string{"frontend", "history", "matching", "worker"} {
		c.Services[s] = config.Service{RPC: config.RPC{GRPCPort: ports[2*i], MembershipPort: ports[2*i+1], BindOnIP: host}}
	}
	c.Archival = config.Archival{History: config.HistoryArchival{State: "disabled"}, Visibility: config.VisibilityArchival{State: "disabled"}}
	c.NamespaceDefaults = config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
		History: config.HistoryArchivalNamespaceDefaults{State: "disabled"}, Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
	}}
	return c
}

// freePorts finds ports that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all at the end, so that none is found twice
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
