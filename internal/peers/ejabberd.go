package peers

import (
	"bytes"
	_ "embed" // the configuration
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"text/template"
)

//go:embed ejabberd.yml
var ejabberdConfig string

// ejabberdLibs is where Debian has the programs of ejabberd for Erlang.
const ejabberdLibs = "/usr/lib/*/ejabberd-*/ebin/ejabberd.app"

// Ejabberd is like [Prosody] with the other server that is met everywhere. It lets a
// component in twice.
func Ejabberd(t testing.TB) *XMPPServer {
	t.Helper()
	erl, err := exec.LookPath("erl")
	libs, _ := filepath.Glob(ejabberdLibs)
	if err != nil || len(libs) == 0 {
		missing(t, "ejabberd is not installed")
	}
	s := &XMPPServer{C2S: FreeAddress(t), Component: FreeAddress(t), t: t, dir: t.TempDir()}
	api := FreeAddress(t)
	var config bytes.Buffer
	if err := template.Must(template.New("ejabberd.yml").Parse(ejabberdConfig)).Execute(&config, map[string]any{
		"C2S": portOf(t, s.C2S), "Component": portOf(t, s.Component), "API": portOf(t, api),
	}); err != nil {
		t.Fatal(err)
	}
	s.write("ejabberd.yml", config.Bytes())
	s.ready = []string{
		"connections at " + s.C2S + " for ejabberd_c2s", "connections at " + s.Component + " for ejabberd_service", "connections at " + api + " for ejabberd_http",
	}
	s.command = func() *exec.Cmd {
		// Without ejabberdctl: no user of its own, no name service, one processor thread.
		cmd := exec.Command(erl, "+S", "1", "+sbwt", "none", "-noinput", "-mnesia", "dir", `"`+filepath.Join(s.dir, "spool")+`"`, "-s", "ejabberd")
		cmd.Env = append(os.Environ(), "HOME="+s.dir, "ERL_LIBS="+filepath.Dir(filepath.Dir(filepath.Dir(libs[0]))),
			"EJABBERD_CONFIG_PATH="+filepath.Join(s.dir, "ejabberd.yml"), "EJABBERD_LOG_PATH="+filepath.Join(s.dir, "ejabberd.log"))
		return cmd
	}
	s.Start()
	for _, name := range []string{"alice", "bob"} {
		register(t, api, name)
	}
	return s
}

func register(t testing.TB, api, name string) {
	t.Helper()
	body, _ := json.Marshal(map[string]string{"user": name, "host": XMPPDomain, "password": name})
	client := http.Client{Timeout: Patience}
	answer, err := client.Post("http://"+api+"/api/register", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("ejabberd does not register %s: %s", name, answer.Status)
	}
}
