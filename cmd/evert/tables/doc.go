// Package tables has the tables of a source copied again and lets them rest, while the source
// streams: because people command it, or because a table stopped and the file says so.
//
//	api.TableCommand ─► Commands ─► the control topic ─► Tables, of the stage that runs
//	                       └── asks how a table is ──────────▲
package tables
