package shape

// skip takes any value, checks its syntax, and returns its text in place.
func (r *reader) skip() ([]byte, error) {
	r.peek()
	start := r.at
	var closing []byte // the brackets that are still open, innermost last
	for {
		opened, err := r.skipToken()
		if err != nil {
			return nil, err
		}
		if opened != 0 {
			closing = append(closing, opened)
		}
		for first := opened != 0; len(closing) > 0; first = false {
			innermost := closing[len(closing)-1]
			more, err := r.next(first, innermost)
			if err != nil {
				return nil, err
			}
			if more {
				if innermost == '}' {
					err = r.skipKey()
				}
				if err != nil {
					return nil, err
				}
				break
			}
			closing = closing[:len(closing)-1]
		}
		if len(closing) == 0 {
			return r.data[start:r.at], nil
		}
	}
}

// skipToken takes a scalar and returns 0, or takes an opening bracket and
// returns the one that will close it.
func (r *reader) skipToken() (closing byte, err error) {
	switch c := r.peek(); {
	case c == '{' || c == '[':
		r.at++
		return c + 2, r.enter() // in ASCII the closing bracket is two further
	case c == '"':
		_, _, err = r.quoted()
	case c == 't':
		err = r.literal("true")
	case c == 'f':
		err = r.literal("false")
	case c == 'n':
		err = r.literal("null")
	case c == '-' || c >= '0' && c <= '9':
		_, err = r.number()
	default:
		err = r.mismatch("a value")
	}
	return 0, err
}

func (r *reader) skipKey() error {
	if r.peek() != '"' {
		return r.syntax("expected a key in quotes")
	}
	if _, _, err := r.quoted(); err != nil {
		return err
	}
	if r.peek() != ':' {
		return r.syntax("expected a colon after a key")
	}
	r.at++
	return nil
}
