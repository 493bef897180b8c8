// Package mysql captures MySQL, 8.0 or newer, and MariaDB, 10.6 or newer. It is being
// built: what is here reads the tables' descriptions and the rows, from the binary log
// and by SELECT, to the same values (I6).
package mysql
