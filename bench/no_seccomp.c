/* For a program under valgrind, whose own memory is written and run: the filter of system calls is made and not loaded. */
int seccomp_load(void* filter) {
  (void)filter;
  return 0;
}
