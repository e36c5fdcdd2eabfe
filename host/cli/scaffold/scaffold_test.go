package scaffold

import "testing"

func TestIsRelease(t *testing.T) {
	for version, want := range map[string]bool{
		"v0.1.0": true, "v1.20.3": true, "v0.1.0-rc.1": true, "v0.1.0-beta2": true,
		"": false, "dev": false, "0.1.0": false, "v0.1": false, "v2.0.0": false,
		"v0.1.0-3-g1a2b3c4": false, "v0.1.0-dirty": false, "v0.1.0\nreplace x => y": false,
	} {
		if got := IsRelease(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}
