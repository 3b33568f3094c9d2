package configs

import _ "embed" // for Example

// Example is the commented example configuration, which sets or mentions every setting.
//
//go:embed smsbridge.example.yaml
var Example string
