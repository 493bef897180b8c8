// Package jvm brings servers that run on Java, for tests: a Java that is there, the jars
// by Maven, once, and an archive of classes that makes each start quicker.
//
//	<user's cache>/evert/<folder>-<version>/lib/*.jar
//	<user's cache>/evert/<folder>-<version>/java-<release>.jsa   classes as the virtual machine wants them
//	<user's cache>/evert/<folder>-<version>.lock                 one process brings it
//
// It is for unix.
package jvm
