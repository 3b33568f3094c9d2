package web

// Routes lists the operations of the API for the test that compares them with
// docs/openapi.yaml.
func Routes(s *Server) [][2]string {
	var all [][2]string
	for _, r := range s.routes() {
		all = append(all, [2]string{r.method, r.path})
	}
	return all
}

// Reasons lists the closed set of reasons of a problem document.
func Reasons() []string {
	var all []string
	for r := range kinds {
		all = append(all, string(r))
	}
	return all
}
