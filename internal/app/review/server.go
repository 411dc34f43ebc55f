package review

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"image/png"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/report"
)

//go:embed page
var page embed.FS

var index = template.Must(template.ParseFS(page, "page/index.html"))

// Server serves a review on this machine alone.
type Server struct {
	review *Review
	listen net.Listener
	token  string
	head   func() (template.HTML, error) // made once
}

// Listen opens a port on 127.0.0.1, 0 for any that is free. Nobody can use it without the URL, which has a random token in it.
func Listen(r *Review, port int) (*Server, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	return &Server{review: r, listen: l, token: rand.Text(), head: sync.OnceValues(r.head)}, nil
}

// URL is where the page is.
func (s *Server) URL() string { return fmt.Sprintf("http://%s/%s/", s.listen.Addr(), s.token) }

// Serve answers until ctx ends.
func (s *Server) Serve(ctx context.Context) error {
	h := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() {
		c, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		h.Shutdown(c) //nolint:errcheck // it ends either way
	})
	defer stop()
	if err := h.Serve(s.listen); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handler checks who asks, and answers under /TOKEN/.
func (s *Server) handler() http.Handler {
	m := http.NewServeMux()
	for file, kind := range map[string]string{"review.css": "text/css", "review.js": "text/javascript"} {
		m.HandleFunc("GET /{token}/"+file, func(w http.ResponseWriter, _ *http.Request) {
			raw, _ := page.ReadFile("page/" + file)
			w.Header().Set("Content-Type", kind+"; charset=utf-8")
			w.Write(raw) //nolint:errcheck // the reader went away
		})
	}
	m.HandleFunc("GET /{token}/{$}", s.index)
	m.HandleFunc("GET /{token}/style.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		io.WriteString(w, report.Style()) //nolint:errcheck // the reader went away
	})
	m.HandleFunc("GET /{token}/state", func(w http.ResponseWriter, _ *http.Request) { answer(w)(s.review.State()) })
	m.HandleFunc("GET /{token}/image/{index}", s.image)
	m.HandleFunc("POST /{token}/decide", s.decide)
	m.HandleFunc("POST /{token}/undo", func(w http.ResponseWriter, _ *http.Request) {
		index, decision, err := s.review.Undo()
		answer(w)(map[string]any{"index": index, "decision": decision}, err)
	})
	m.HandleFunc("POST /{token}/write", func(w http.ResponseWriter, _ *http.Request) {
		decided, disagreed, err := s.review.Write()
		answer(w)(map[string]any{"decided": decided, "disagreed": disagreed, "command": s.review.Command()}, err)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := r.URL.Path
		if len(given) > len(s.token) {
			given = given[1 : len(s.token)+1]
		}
		// A page of another site may send requests here under a name of its own: the name is checked as well as the token.
		if addr := s.listen.Addr().String(); r.Host != addr && r.Host != strings.TrimSuffix(addr, ":80") || subtle.ConstantTimeCompare([]byte(given), []byte(s.token)) != 1 {
			http.Error(w, "not here: use the whole address that unpoison review printed", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		var lost error // images of a mapped file that was cut off meanwhile
		defer func() {
			if lost != nil {
				http.Error(w, lost.Error(), http.StatusInternalServerError)
			}
		}()
		defer dataset.Lost(&lost)
		m.ServeHTTP(w, r)
	})
}

// index sends the page with its first screen.
func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	head, err := s.head()
	var b bytes.Buffer
	if err == nil {
		err = index.Execute(&b, struct {
			Head     template.HTML
			Reviewer string
		}{head, s.review.mine.Reviewer})
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(b.Bytes()) //nolint:errcheck // the reader went away
}

// answer writes a value as JSON, or an error's text with status 400.
func answer(w http.ResponseWriter) func(v any, err error) {
	return func(v any, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v) //nolint:errcheck // the reader went away
	}
}

// mostAsked bounds a request's body.
const mostAsked = 1 << 12

func (s *Server) decide(w http.ResponseWriter, r *http.Request) {
	var d struct {
		Index    int    `json:"index"`
		Decision string `json:"decision"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostAsked)).Decode(&d)
	if err == nil {
		err = s.review.Decide(d.Index, d.Decision)
	}
	answer(w)(d, err)
}

// largest is the longest side of a picture that is sent.
const largest = 1024

// image sends a training image as a PNG, with ?side=N at most N pixels a side.
func (s *Server) image(w http.ResponseWriter, r *http.Request) {
	index, err := strconv.Atoi(r.PathValue("index"))
	if _, ok := s.review.at[index]; err != nil || !ok {
		http.Error(w, "there is no such suspect", http.StatusNotFound)
		return
	}
	side, err := strconv.Atoi(r.URL.Query().Get("side"))
	if err != nil || side < 1 || side > largest {
		side = largest
	}
	set := s.review.data
	px, height, width := set.Image(index), set.Height, set.Width
	if long := max(height, width); long > side {
		h, wd := max(1, height*side/long), max(1, width*side/long)
		px, height, width = dataset.Resize(px, height, width, h, wd), h, wd
	}
	var b bytes.Buffer
	if err := png.Encode(&b, dataset.ToImage(px, height, width)); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "private, max-age=3600")
	w.Write(b.Bytes()) //nolint:errcheck // the reader went away
}
