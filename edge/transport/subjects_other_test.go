//go:build !linux

package transport

func subjects() []subject { return []subject{portableSubject(), secureSubject(portableSubject())} }
