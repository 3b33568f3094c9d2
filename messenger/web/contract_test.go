package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"smsbridge/messenger/web"
)

// contract is docs/openapi.yaml.
type contract struct {
	doc    *openapi3.T
	router routers.Router
}

var loadContract = sync.OnceValues(func() (contract, error) {
	openapi3filter.RegisterBodyDecoder("text/event-stream", openapi3filter.PlainBodyDecoder)
	doc, err := openapi3.NewLoader().LoadFromFile("../../docs/openapi.yaml")
	if err != nil {
		return contract{}, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return contract{}, err
	}
	router, err := legacy.NewRouter(doc)
	return contract{doc, router}, err
})

func theContract(t testing.TB) contract {
	t.Helper()
	c, err := loadContract()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// holdToContract fails the test where an answer, or a request that went well, is not
// as docs/openapi.yaml says.
func holdToContract(t testing.TB, req *http.Request, res *http.Response, body []byte) {
	t.Helper()
	req.URL.Scheme, req.URL.Host = "", ""
	where, params, err := theContract(t).router.FindRoute(req)
	if err != nil {
		if res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusMethodNotAllowed {
			return
		}
		t.Fatalf("%s %s is not in the document: %v", req.Method, req.URL, err)
	}
	input := &openapi3filter.RequestValidationInput{
		Request: req, PathParams: params, Route: where,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true},
	}
	if res.StatusCode < http.StatusBadRequest {
		if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil {
			t.Errorf("%s %s was taken and is not as the document says: %v", req.Method, req.URL, err)
		}
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(body)), Options: input.Options,
	})
	if err != nil {
		t.Errorf("the answer of %s %s is not as the document says: %v", req.Method, req.URL, err)
	}
}

// holdEventToContract does so for the data of an event.
func holdEventToContract(t testing.TB, name string, data []byte) {
	t.Helper()
	schema := map[string]string{"message": "Message", "status": "StatusEvent"}[name]
	if schema == "" {
		return
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if err := theContract(t).doc.Components.Schemas[schema].Value.VisitJSON(v); err != nil {
		t.Errorf("the data of a %s event is not as the document says: %v", name, err)
	}
}

func TestDocumentHasTheRoutesOfTheServer(t *testing.T) {
	r := newRig(t, noWorkers)
	var served, documented []string
	for _, route := range web.Routes(r.server) {
		served = append(served, strings.Join(route[:], " "))
	}
	for path, item := range theContract(t).doc.Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	slices.Sort(served)
	slices.Sort(documented)
	if !slices.Equal(served, documented) {
		t.Errorf("the server has\n%s\nand the document\n%s", strings.Join(served, "\n"), strings.Join(documented, "\n"))
	}
}

func TestDocumentHasTheReasonsOfTheServer(t *testing.T) {
	var documented []string
	for _, v := range theContract(t).doc.Components.Schemas["Problem"].Value.Properties["reason"].Value.Enum {
		documented = append(documented, v.(string))
	}
	given := web.Reasons()
	slices.Sort(documented)
	slices.Sort(given)
	if !slices.Equal(given, documented) {
		t.Errorf("the server has %v and the document %v", given, documented)
	}
}
