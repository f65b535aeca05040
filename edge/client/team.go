package client

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// teamOf is the team that a token (a JWT) names, "" if it names none or can't be
// read. It is not checked here: it decides which edge is asked first, no more.
func teamOf(token string) string {
	_, rest, _ := strings.Cut(token, ".")
	claims, _, signed := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(claims)
	if !signed || err != nil {
		return ""
	}
	var v struct {
		Team string `json:"team"`
	}
	if json.Unmarshal(text, &v) != nil {
		return ""
	}
	return v.Team
}
