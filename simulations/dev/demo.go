package dev

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"selvedge/core/client"
	"selvedge/core/console"
	"selvedge/edge/client/js"
	"selvedge/internal/identity"
	"selvedge/wire"
)

//go:embed web
var files embed.FS

// tokenTTL is how long a token of the demo page is good.
const tokenTTL = 12 * time.Hour

// newDemo serves the demo page, the SDK that it uses, and the little that a
// real application's own backend would do for it: tokens, and rooms to join.
func newDemo(cfg Config, places []place) (http.Handler, error) {
	pages, err := fs.Sub(files, "web")
	if err != nil {
		return nil, fmt.Errorf("the demo page is not in the binary: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(pages))
	for _, shared := range []string{"/theme.css", "/icon.svg"} {
		mux.Handle("GET "+shared, http.FileServerFS(console.Pages()))
	}
	mux.Handle("GET /sdk/", http.StripPrefix("/sdk/", http.FileServerFS(js.Files)))
	mux.HandleFunc("GET /dev/config", func(w http.ResponseWriter, _ *http.Request) { answer(w, describe(cfg, places)) })
	mux.HandleFunc("GET /dev/token", token)
	mux.HandleFunc("POST /dev/users/{user}/name", rename)
	mux.HandleFunc("POST /dev/rooms/{room}/{verb}", membership)
	return mux, nil
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(body) // a page that went has no use for it
}

// describe tells the page what runs where.
func describe(cfg Config, places []place) any {
	type edgeInfo struct {
		ID     string  `json:"id"`
		Region string  `json:"region"`
		Title  string  `json:"title"`
		URL    string  `json:"url"`
		WS     string  `json:"ws"`
		RTT    float64 `json:"rtt_ms"`
	}
	type userInfo struct {
		ID   wire.UserID `json:"id"`
		Name string      `json:"name"`
	}
	var edges []edgeInfo
	for i := range places {
		p := &places[i]
		edges = append(edges, edgeInfo{
			p.name, p.region.Name, p.region.Title, p.url(),
			fmt.Sprintf("ws://%s:%d/v1/socket", host, p.port), float64(p.rtt) / 1e6,
		})
	}
	var people []userInfo
	for _, u := range users {
		people = append(people, userInfo{u.id, u.name})
	}
	return map[string]any{
		"edges": edges, "users": people,
		"core":    map[string]any{"url": "http://" + addr(corePort), "region": cfg.Core.Name, "title": cfg.Core.Title},
		"console": "http://" + addr(corePort+3) + "/",
	}
}

func token(w http.ResponseWriter, r *http.Request) {
	user := r.URL.Query().Get("user")
	if err := wire.CheckID(user); err != nil {
		http.Error(w, "user: "+err.Error(), http.StatusBadRequest)
		return
	}
	now := time.Now()
	t, err := identity.Sign([]byte(identity.DevTokenSecret), identity.Claims{
		User: user, Publish: []string{"room:*", "topic:*"}, Subscribe: []string{"topic:*"}, Expires: now.Add(tokenTTL),
	}, now)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, map[string]string{"token": t})
}

// rename gives a user another name, as an application's backend would.
func rename(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Name string `json:"name"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&body); err != nil || body.Name == "" {
		http.Error(w, "the body must be {\"name\": …}", http.StatusBadRequest)
		return
	}
	doc, err := named(body.Name)
	if err == nil {
		_, err = backend().PatchUser(r.Context(), wire.UserID(r.PathValue("user")), doc)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// refuse says why a backend's call was not done.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusBadGateway
	if client.IsCode(err, wire.NotFound) {
		status = http.StatusNotFound
	}
	http.Error(w, err.Error(), status)
}

// membership joins or leaves a room, as an application's backend would.
func membership(w http.ResponseWriter, r *http.Request) {
	var body struct {
		User wire.UserID `json:"user"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&body); err != nil {
		http.Error(w, "the body must be {\"user\": …}: "+err.Error(), http.StatusBadRequest)
		return
	}
	user, none := []wire.UserID{body.User}, []wire.UserID(nil)
	var add, remove []wire.UserID
	switch r.PathValue("verb") {
	case "join":
		add, remove = user, none
	case "leave":
		add, remove = none, user
	default:
		http.NotFound(w, r)
		return
	}
	if _, err := backend().ChangeMembers(r.Context(), wire.RoomID(r.PathValue("room")), add, remove); err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
