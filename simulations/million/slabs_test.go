package million

import "testing"

const slabs = `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>
TCPv6                 26     26   2496   13    8 : tunables    0    0    0 : slabdata      2      2      0
TCP                   91    143   2368   13    8 : tunables    0    0    0 : slabdata     11     11      0
kmalloc-2k            64     64   2048   16    8 : tunables    0    0    0 : slabdata      3      4      0
anon_vma_chain        64    128     64   64    1 : tunables    0    0    0 : slabdata      2      2      0
sock_inode_cache      30     38    832   19    4 : tunables    0    0    0 : slabdata      2      2      0
dentry               210    210    192   21    1 : tunables    0    0    0 : slabdata     10     10      0
proc_inode_cache     170    184    704   23    4 : tunables    0    0    0 : slabdata      8      8      0
broken 1 2 3
`

func TestTheKindsOfObjectsAreRead(t *testing.T) {
	before := kernel{Slab: 1000, Caches: map[string]slab{"TCP": {13, 8 * 4096}, "sock_inode_cache": {19, 4 * 4096}}}
	after := kernel{Slab: 1700, Caches: parseSlabs([]byte(slabs), 4096, map[string]string{"anon_vma_chain": "eventpoll_pwq"})}
	if got := after.Caches["TCP"]; got != (slab{143, 11 * 8 * 4096}) || len(after.Caches) != 7 {
		t.Errorf("TCP: %+v of %d kinds", got, len(after.Caches))
	}
	for name, want := range map[string]int64{
		"TCP": 10 * 8 * 4096, "kmalloc-2k": 4 * 8 * 4096, "eventpoll_pwq": 2 * 4096, "sock_inode_cache": 4 * 4096,
		"TCPv6": 0, "proc_inode_cache": 0,
		"dentry": 19 * 4096 / 21, // of 210 as many as there are more sockets' inodes
	} {
		if got := grownKind(before, after, name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	if got, want := grown(before, after), int64((80+32+2+4)*4096+19*4096/21); got != want {
		t.Errorf("in all %d, want %d", got, want)
	}
	if after.Caches = nil; grown(before, after) != 700 {
		t.Errorf("where the kinds are not known: %d, not all of Slab", grown(before, after))
	}
}
