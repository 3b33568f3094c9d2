package ops

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

// file is one embedded file.
type file struct {
	body              []byte
	etag, contentType string
}

// page serves the operators' page: index.html at /, the others by name under /static/.
type page map[string]file

func newPage() (page, error) {
	all := page{}
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
			return fmt.Errorf("ops: %s has no content type", name)
		}
		sum := sha256.Sum256(body)
		all["/"+name] = file{body: body, etag: `"` + hex.EncodeToString(sum[:8]) + `"`, contentType: contentType}
		return nil
	})
	all["/"] = all["/static/index.html"]
	delete(all, "/static/index.html")
	return all, err
}

// ServeHTTP answers from memory. Browsers ask each time whether a file is still the
// same (RFC 9110, 13.1.2), so that a new version of the bridge shows at once. The page loads
// nothing but what comes from here, and nobody frames it (CSP Level 3).
func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, found := p[r.URL.Path]
	if !found {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}
