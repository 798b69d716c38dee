/* A shared object that is not a kernel library. */
int subject_of_something_else(void);
int subject_of_something_else(void) {
    return 0;
}
