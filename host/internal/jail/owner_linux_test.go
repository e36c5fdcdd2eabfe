package jail

import "testing"

// A folder of the kernel's own, on which no mount can be mapped, has to show
// where workspaces need that.
func TestWorkspacesAreTried(t *testing.T) {
	j := newWorld(t).jail
	if l := j.Workspaces(t.TempDir()); !l.On || l.Note == "" {
		t.Errorf("%+v", l)
	}
	c, err := j.Blank()
	if err != nil {
		t.Fatal(err)
	}
	mapped := c.id != 0
	c.Close()
	if l := j.Workspaces("/proc"); l.On == mapped || mapped && (l.Why == "" || l.Fix == "") {
		t.Errorf("in /proc, with uids of their own %v: %+v", mapped, l)
	}
}
