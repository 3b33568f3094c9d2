package ops_test

import (
	"net/http"
	"testing"

	"smsbridge/ops"
)

// A page whose name answers with the address of this machine does not get in.
func TestHost(t *testing.T) {
	for _, tt := range []struct {
		host     string
		insecure bool
		status   int
	}{
		{host: "127.0.0.1:9090", status: 200},
		{host: "127.0.0.1", status: 200},
		{host: "[::1]:9090", status: 200},
		{host: "localhost:1234", status: 200},
		{host: "LOCALHOST.", status: 200},
		{host: "evil.example", status: 421},
		{host: "evil.example:9090", status: 421},
		{host: "127.0.0.1.evil.example", status: 421},
		{host: "localhost.evil.example", status: 421},
		{host: "ops.corp.example", insecure: true, status: 200},
	} {
		t.Run(tt.host, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, serve(t, ops.Config{Insecure: tt.insecure})+"/admin/v1/queue", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Host = tt.host
			if status, _, body := do(t, request); status != tt.status {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}
