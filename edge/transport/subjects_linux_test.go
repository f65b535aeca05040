package transport

import "testing"

func subjects() []subject {
	return []subject{epollSubject(), portableSubject(), secureSubject(epollSubject()), secureSubject(portableSubject())}
}

func epollSubject() subject {
	return subject{name: "epoll", make: func(t testing.TB, cfg Config) Loop {
		l, err := NewEpoll(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}}
}
