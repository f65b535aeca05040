package js

import "embed"

// Files are the modules; selvedge.js is the one to import.
//
//go:embed selvedge.js connection.js cursor.js edges.js objects.js requests.js
var Files embed.FS
