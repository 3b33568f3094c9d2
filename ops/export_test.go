package ops

// Routes are the patterns of the server, such as GET /livez.
func Routes(s *Server) []string { return s.routes().patterns }
