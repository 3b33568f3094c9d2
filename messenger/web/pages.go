package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed static
var static embed.FS

// The types are named here: what the system's table says differs from machine to
// machine, and browsers refuse a module of a wrong type.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// page is one embedded file.
type page struct {
	body              []byte
	etag, contentType string
}

// pages serves the page's files: index.html at /, the others by name under /static/.
type pages map[string]page

func newPages() (pages, error) {
	all := pages{}
	err := fs.WalkDir(static, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		contentType := contentTypes[path.Ext(name)]
		if contentType == "" {
			return fmt.Errorf("web: %s has no content type", name)
		}
		sum := sha256.Sum256(body)
		all["/"+name] = page{body: body, etag: `"` + hex.EncodeToString(sum[:8]) + `"`, contentType: contentType}
		return nil
	})
	all["/"] = all["/static/index.html"]
	delete(all, "/static/index.html")
	return all, err
}

// ServeHTTP answers from memory. Browsers ask each time whether a file is still the
// same (RFC 9110, 13.1.2), so that a new version of the bridge shows at once.
func (p pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, found := p[r.URL.Path]
	if !found {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.contentType)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", file.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.body))
}
