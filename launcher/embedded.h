/* SPDX-License-Identifier: Apache-2.0 */
/* Between the two parts of the launcher; setup.py decides whether there is a second one. */
#ifndef OCIRUN_EMBEDDED_H
#define OCIRUN_EMBEDDED_H

/*
 * Runs ocirun in this process.  Returns if it cannot, with nothing done: `python` is then to
 * be executed.  `directory` is the one that holds the package.
 */
void embedded_run(const char *python, const char *directory, int argc, char **argv);

#endif
