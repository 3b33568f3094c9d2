// Package configs reads the operator's configuration file.
//
// [Load] reads a file, [Parse] what was read before; both give a [Config] in which
// every value is typed and in range, or an [*Error] that lists every [Problem] of the
// file at once, each with its line, an excerpt, the setting's path and what to write
// instead:
//
//	bridge.yaml:14:13: smsc[0].window: must be 1 to 1000, got "5000"
//	   14 |     window: 5000
//	      |             ^
//
// A zero value in a Config means that the file does not say, and that the room which
// the setting is for uses its own documented default.
//
// The file is YAML of the plain kind: one document without anchors, aliases and tags.
// An unknown key is a problem, never ignored: a misspelt setting would otherwise be
// a setting that silently does nothing. Secrets may stand in the file, in a file of
// their own (password_file) or in the environment (${NAME}); they are a [Secret],
// which no log and no excerpt shows. Relative paths start at the file's folder.
//
// [Example] is the commented example, which documents every setting.
package configs
