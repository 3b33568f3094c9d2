// Package disk is a disk whose power can be cut, for tests: a block device in memory with a
// volatile write cache. A real file system of the kernel's is on it, so that all that a
// real one does with files that were made, renamed, truncated, removed or half written is
// what a test sees, its journal's recovery included.
//
//	daemon -> ext4, xfs or btrfs -> loop device -> FUSE file of this package -> Disk
//
// The loop device passes each write of the file system on, and each flush of the cache
// (fsync, syncfs, and the barriers of the file system's journal) as an fsync of its file. A
// [Disk] keeps what was written since the last flush apart. [Disk.Cut] throws away
// all of that, or all but the first writes, or each write as a die falls, some of them torn
// between two sectors: a disk may write its cache in any order. From then on the disk
// answers with errors, until [Disk.PowerUp].
//
// [Mount] needs root on Linux with loop devices and /dev/fuse. [Namespaced] runs a test
// where its mounts end with it, however it ends.
package disk
