package review

import (
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
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

// An image of a file that was cut off while it is mapped is answered with an error that names the file; other images are shown.
func TestLostImagesAreErrors(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file can't be cut off")
	}
	const n, side = 64, 100
	data, store, run := t.TempDir(), t.TempDir(), t.TempDir()
	npy := func(shape string, bytes []byte) string {
		head := fmt.Sprintf("{'descr': '|u1', 'fortran_order': False, 'shape': (%s), }", shape)
		head += strings.Repeat(" ", 117-len(head)) + "\n"
		return "\x93NUMPY\x01\x00" + string([]byte{byte(len(head)), 0}) + head + string(bytes)
	}
	labels := make([]byte, n)
	for k := range labels {
		labels[k] = byte(k % 2)
	}
	testfile.Write(t, filepath.Join(data, "x_train.npy"), npy(fmt.Sprintf("%d, %d, %d, 3", n, side, side), make([]byte, n*side*side*3)))
	testfile.Write(t, filepath.Join(data, "y_train.npy"), npy(fmt.Sprintf("%d,", n), labels))
	d, err := dataset.Load(t.Context(), data, dataset.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	if !d.Train.Mapped() {
		t.Skip("files are not mapped on this system")
	}
	list := "index,source,label\n"
	for k := range n {
		list += fmt.Sprintf("%d,%s,%s\n", k, d.Train.Source(k), d.Train.Classes[d.Train.Labels[k]])
	}
	testfile.Write(t, filepath.Join(run, "suspects.csv"), list)
	testfile.Write(t, filepath.Join(run, "result.json"), `{"data":{"path":"x","layout":"numpy"}}`)
	s, _ := open(t, run, d.Train, "ann")
	file := ""
	if err := filepath.WalkDir(store, func(path string, e fs.DirEntry, err error) error {
		if st, statErr := os.Stat(path); statErr == nil && st.Mode().IsRegular() && st.Size() >= n*side*side {
			file = path
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, st.Size()/2); err != nil {
		t.Fatal(err)
	}
	for index, want := range map[int]int{0: http.StatusOK, n - 1: http.StatusInternalServerError} {
		q := httptest.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("/%s/image/%d", s.token, index), nil)
		q.Host = s.listen.Addr().String()
		w := httptest.NewRecorder()
		s.handler().ServeHTTP(w, q)
		if w.Code != want || want != http.StatusOK && !strings.Contains(w.Body.String(), file+" was cut off") {
			t.Errorf("image %d: %d, expected %d: %.200s", index, w.Code, want, w.Body)
		}
	}
}
