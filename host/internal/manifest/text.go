package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/ringfence/ringfence/host/internal/printable"
)

// checkText refuses texts in a schema that an honest author does not write:
// clients show names and descriptions on terminals, where an escape sequence
// rewrites what is already there, and hand them to models, which read what a
// person cannot see.
func checkText(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := d.Token()
		if err != nil {
			return nil // its end; that it is JSON is for others to say
		}
		text, ok := token.(string)
		if !ok {
			continue
		}
		for _, r := range text {
			if r != '\n' && r != '\r' && r != '\t' && printable.Hidden(r) {
				return fmt.Errorf("the schema has the character %s in %q", strconv.QuoteRuneToASCII(r), printable.Line(text, 80))
			}
		}
	}
}
