"""SIGTERM: CLOSE with SHUTTING_DOWN to every session, exit code 0. Runs last: it ends the servers of the other tests."""

import wire
from served import CONFIGURATIONS, SECRETS, ServedTest, Server
from wire import Status, Type

FAR_MS = 4_102_444_800_000


class ShutdownTest(ServedTest):
    async def test_sessions_get_shutting_down_and_the_server_ends_with_0(self):
        clients = [await self.session() for _ in range(5)]
        node, target = self.nodes(2)
        await self.accept(clients[1].first, node, target)
        streams = clients[2].open(), clients[2].open()
        await streams[0].read(node)
        clients[3].first.write(wire.header(Type.READ, clients[3].session, 1, 8))  # half a frame
        clients[4].first.finish()
        await clients[4].ping()
        self.server.terminate()
        for client in clients:
            ending = await self.assert_closed(client, Status.SHUTTING_DOWN)
            self.assertEqual(Status.SHUTTING_DOWN, ending.code)
            if client.announced is not None:
                self.assertIs(client.first, client.announced[0])
        self.server.stop()

    async def test_every_other_configuration(self):
        for name in CONFIGURATIONS:
            if name == self.configuration:
                continue
            with self.subTest(configuration=name):
                self.server = Server.shared(name)
                token = wire.token(SECRETS[7], 7, 1, FAR_MS) if name == "tokens" else b""
                client = await self.session(token)
                self.server.terminate()
                await self.assert_closed(client, Status.SHUTTING_DOWN)
                self.server.stop()
