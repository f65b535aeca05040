package dev

import (
	"context"
	"fmt"

	"selvedge/core/client"
	"selvedge/internal/identity"
	"selvedge/wire"
)

// users are who the demo page can be.
var users = []struct {
	id   wire.UserID
	name string
}{
	{"u1", "Ada Okafor"},
	{"u2", "Ben Lindqvist"},
	{"u3", "Chen Yun"},
	{"u4", "Dalia Haddad"},
	{"u5", "Emil Novak"},
	{"u6", "Fatou Diallo"},
}

// others are in the rooms that everybody is in, for lists and searches: names as
// they are, with accents and in several scripts.
var others = map[wire.UserID]string{
	"agnieszka": "Agnieszka Wójcik", "aigerim": "Айгерім Сейтқали", "amal": "أمل الخطيب", "ananya": "अनन्या शर्मा",
	"anais": "Anaïs Lefèvre", "arjun": "அர்ஜுன் குமார்", "astrid": "Åstrid Sørensen", "caglar": "Çağlar Yıldız",
	"daniel": "Daniel Mensah", "elena": "Ελένη Παπαδάκη", "emre": "Emre Öztürk", "giorgi": "გიორგი ბერიძე",
	"haruto": "佐藤 陽斗", "ines": "Inês Magalhães", "jiri": "Jiří Dvořák", "jose": "José Álvarez",
	"josefina": "Josefina Núñez", "kalani": "Kalani Kahananui", "lucia": "Lucía Peña", "lukasz": "Łukasz Kowalczyk",
	"mei": "王美玲", "minjun": "김민준", "naledi": "Naledi Dlamini", "noa": "נועה לוי",
	"nomvula": "Nomvula Khumalo", "oksana": "Оксана Мельник", "omar": "عمر حداد", "petra": "Petra Horváthová",
	"rachel": "Rachel O’Connor", "sakura": "鈴木 さくら", "sigridur": "Sigríður Jónsdóttir", "somchai": "สมชาย ศรีสุข",
	"tariq": "طارق محمود", "thuy": "Nguyễn Thị Thúy", "tigran": "Տիգրան Հակոբյան", "vaino": "Väinö Mäkelä",
	"xavier": "Xavier Müller", "yusuf": "Yusuf Demir", "zanele": "Zanele Ndlovu", "zoe": "Zoë Krüger",
}

// rooms are where they meet; everybody is in those without members.
var rooms = []struct {
	id      wire.RoomID
	name    string
	members []wire.UserID
}{
	{"general", "General", nil},
	{"random", "Random", nil},
	{"weaving", "Weaving", []wire.UserID{"u1", "u2", "u3"}},
	{"indigo", "Indigo", []wire.UserID{"u1", "u4", "u5"}},
	{"night-shift", "Night shift", []wire.UserID{"u2", "u6"}},
}

// backend is the demo application's own client of the core.
func backend() *client.Client {
	return &client.Client{BaseURL: "http://" + addr(corePort), Key: identity.DevAPIKey}
}

// seed puts the demo's users and rooms into the core. A core that has them
// already keeps what it has.
func seed(ctx context.Context) error {
	c := backend()
	people := map[wire.UserID]client.Document{}
	var everybody []wire.UserID
	for _, u := range users {
		doc, err := named(u.name)
		if err != nil {
			return err
		}
		people[u.id] = doc
		everybody = append(everybody, u.id)
	}
	for id, name := range others {
		doc, err := named(name)
		if err != nil {
			return err
		}
		people[id] = doc
		everybody = append(everybody, id)
	}
	if _, err := c.PutUsers(ctx, people); err != nil {
		return fmt.Errorf("seed the demo's users: %w", err)
	}
	for _, r := range rooms {
		if _, err := c.GetRoom(ctx, r.id); err == nil {
			continue
		}
		doc, err := named(r.name)
		if err != nil {
			return err
		}
		if _, err := c.PutRoom(ctx, r.id, doc); err != nil {
			return fmt.Errorf("seed room %s: %w", r.id, err)
		}
		members := r.members
		if members == nil {
			members = everybody
		}
		if _, err := c.ChangeMembers(ctx, r.id, members, nil); err != nil {
			return fmt.Errorf("seed the members of room %s: %w", r.id, err)
		}
	}
	return nil
}

// named is a document with a name, which is what search and the page look at.
func named(name string) (client.Document, error) {
	d, err := wire.JSON.Append(nil, map[string]string{"name": name})
	if err != nil {
		return client.Document{}, err
	}
	data, err := wire.ParseJSON(d)
	return client.Document{Data: data}, err
}
