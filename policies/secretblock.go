package policies

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// declaredSecret is a secret block.
type declaredSecret struct {
	secret   Secret
	declared hcl.Range
	used     bool   // a credential names it
	file     string // its absolute path, or ""
}

// secret decodes a secret block.
func (d *decoder) secret(b *hclsyntax.Block) {
	name := b.Labels[0]
	if !blockName.MatchString(name) {
		d.errorf(b.LabelRanges[0], fmt.Sprintf("%q is not a secret name", name), "%s", blockNameRule)
		return
	}
	if first, ok := d.secrets[name]; ok {
		d.duplicate(b, "secret", name, first.declared)
		return
	}
	before := len(d.diags)
	d.check(b.Body, secretShape)
	s := &declaredSecret{secret: unavailableSecret(name, "its value was not set when the policy was loaded"), declared: b.DefRange()}
	d.secrets[name] = s
	value, file := b.Body.Attributes["value"], b.Body.Attributes["file"]
	switch {
	case value != nil && file != nil:
		d.errorf(file.NameRange, fmt.Sprintf("secret %q has both a value and a file", name), "Keep one of them.")
	case value != nil:
		d.secretValue(s, value)
	case file != nil:
		d.secretFile(s, file)
	case !d.errorsSince(before):
		d.errorf(b.DefRange(), fmt.Sprintf("secret %q has no value", name), "Write value = var.NAME or file = \"…\".")
	}
}

func (d *decoder) secretValue(s *declaredSecret, attr *hclsyntax.Attribute) {
	value, ok := d.text(attr, secretValue)
	if !ok {
		return
	}
	if value == "" {
		d.unresolved(attr.Expr.Range(), fmt.Sprintf("secret %q is empty", s.secret.name), "An empty secret would be sent as an empty credential. Set the variable that it comes from.")
		return
	}
	if len(attr.Expr.Variables()) == 0 {
		d.warnf(attr.Expr.Range(), fmt.Sprintf("secret %q is written in the policy", s.secret.name), "Whoever reads the file has the secret. Use a variable with default = env(\"…\"), or file = \"…\".")
	}
	s.secret = valueSecret(s.secret.name, value)
}

// secretFile checks that the file can be read later, and by whom else.
func (d *decoder) secretFile(s *declaredSecret, attr *hclsyntax.Attribute) {
	text, ok := d.text(attr, anywhere)
	if !ok {
		return
	}
	path, ok := d.path(attr, text)
	if !ok {
		return
	}
	s.secret, s.file = fileSecret(s.secret.name, path), path
	at := attr.Expr.Range()
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.unresolved(at, fmt.Sprintf("secret file of %q is missing", s.secret.name), "There is no file %s.", path)
	case err != nil:
		d.unresolved(at, fmt.Sprintf("secret file of %q cannot be read", s.secret.name), "%s.", err)
	case !info.Mode().IsRegular():
		d.errorf(at, fmt.Sprintf("secret file of %q is not a file", s.secret.name), "%s is a %s.", path, fileKind(info.Mode()))
	case info.Size() > maxSecretSize:
		d.errorf(at, fmt.Sprintf("secret file of %q is too large", s.secret.name), "%s has %d bytes (maximum %d).", path, info.Size(), maxSecretSize)
	case info.Mode().Perm()&0o004 != 0:
		d.warnf(at, fmt.Sprintf("secret file of %q can be read by everybody on this machine", s.secret.name), "Its mode is %04o. Run: chmod 600 %s", info.Mode().Perm(), path)
	}
}

func fileKind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "folder"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	}
	return "device"
}
