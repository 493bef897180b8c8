package codes

// ofMySQL are the codes of the MySQL and MariaDB source.
func ofMySQL() []Entry {
	return []Entry{
		{Code: "MY_CONFIG", Text: "The connection string of a MySQL or MariaDB source cannot be used as it stands.", Mend: "Correct what the message names."},
		{Code: "MY_CONNECT", Passing: true, Text: "The server could not be reached; nothing is lost, the source tries again.", Mend: "See that the server runs and can be reached from here; correct host and port of the url."},
		{Code: "MY_AUTH", Text: "The server refuses user, password or address; the connection string is read anew at each attempt.", Mend: "Correct user and password of the url, or make the user for this address."},
		{Code: "MY_TLS", Passing: true, Text: "Nothing was sent over the connection: the server cannot be trusted, speaks no TLS, or takes no connection without it.", Mend: "Name the server's authority with ca in the url, and the server by a name of its certificate."},
	}
}
