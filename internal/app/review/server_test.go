package review

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// listening is a listener at an address.
type listening struct {
	net.Listener
	at net.TCPAddr
}

func (l listening) Addr() net.Addr { return &l.at }

// A page is answered under the names that clients have for its address: they leave out the port that is HTTP's own.
func TestHostsThatAreAnswered(t *testing.T) {
	for _, c := range []struct {
		port int
		host string
		want int
	}{
		{80, "127.0.0.1", http.StatusOK},
		{80, "127.0.0.1:80", http.StatusOK},
		{8080, "127.0.0.1:8080", http.StatusOK},
		{8080, "127.0.0.1", http.StatusForbidden},
		{80, "evil.example", http.StatusForbidden},
		{80, "127.0.0.1:8080", http.StatusForbidden},
		{80, "", http.StatusForbidden},
	} {
		s := &Server{listen: listening{at: net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: c.port}}, token: "TOKEN"}
		q := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/TOKEN/style.css", nil)
		q.Host = c.host
		w := httptest.NewRecorder()
		s.handler().ServeHTTP(w, q)
		if w.Code != c.want {
			t.Errorf("port %d, host %q: %d, expected %d", c.port, c.host, w.Code, c.want)
		}
	}
}
