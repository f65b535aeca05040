package log

// Leads is how many streams this core leads.
func (s *Store) Leads() (n int) {
	sess, err := s.session()
	if err != nil || sess == nil {
		return 0
	}
	for _, name := range s.streams() {
		if sess.srv.leads(name) {
			n++
		}
	}
	return n
}
