// Package pages serves the files of a page that the program carries with it.
package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"time"
)

// The types are named here: what the system's table says differs from machine to
// machine, and browsers refuse a module of a wrong type.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

type file struct {
	body              []byte
	etag, contentType string
}

// Pages is an [http.Handler] of all files below a folder: its index.html at /, the others at their
// path with the folder's name, /static/app.js. It may be used by several goroutines.
type Pages map[string]file

// New reads the files of folder, whose names must say their types: html, css, js or svg.
func New(from fs.FS, folder string) (Pages, error) {
	all := Pages{}
	err := fs.WalkDir(from, folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		contentType := contentTypes[path.Ext(name)]
		if contentType == "" {
			return fmt.Errorf("pages: %s has no content type", name)
		}
		sum := sha256.Sum256(body)
		all["/"+name] = file{body: body, etag: `"` + hex.EncodeToString(sum[:8]) + `"`, contentType: contentType}
		return nil
	})
	index := "/" + path.Join(folder, "index.html")
	all["/"] = all[index]
	delete(all, index)
	return all, err
}

// ServeHTTP answers from memory. Browsers ask each time whether a file is still the
// same (RFC 9110, 13.1.2), so that a new version of the bridge shows at once.
func (p Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, found := p[r.URL.Path]
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
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}
