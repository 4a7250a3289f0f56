// The reference tus server (@tus/server with its file store) on a port of the system's choice, which it prints. It ends with its input.
// node reference.mjs FOLDER MAX_BYTES
import { createServer } from "node:http";
import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";

const [folder, most] = process.argv.slice(2);
const tus = new Server({
  path: "/sync/v1/blobs",
  datastore: new FileStore({ directory: folder, expirationPeriodInMilliseconds: 30 * 86_400_000 }),
  maxSize: Number(most),
  relativeLocation: true,
});
const server = createServer((request, answer) => tus.handle(request, answer));
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit(0));
