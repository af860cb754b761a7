"""Questions that a synonym, a compound or a frame could take for one another, and must not."""

import pytest

from failsoft.ladder.paraphrase.same_question import difference

# Two a line.
FOILS = {
    "en": """
How do I switch off my plan? | How do I switch my plan?
How do I turn the alarm off? | How do I turn the alarm on?
How do I hire a car? | How do I sell a car?
Do I have to pay for parking? | Is parking included?
Is there a fee for parking? | Is parking free?
Is there a fee to cancel? | How much is the fee to cancel?
Do I have to pay for the first lesson? | Do you pay for the first lesson?
What is the fee for a lost card? | Is there a fee for a lost card?
What does the price include? | Is breakfast included in the price?
Is breakfast included in the price? | Is dinner included in the price?
Is breakfast included? | What is included in the breakfast?
Does the rent include heating? | Does the rent include electricity?
Is heating included in the rent? | Is the rent included in the heating?
How old do I have to be to rent a car? | How old can the car be to rent?
What's the minimum age to rent a car? | What's the maximum age to rent a car?
How old must a driver be? | How old must a car be?
When is the rent due? | How much rent is due?
By when must I pay the rent? | When can I pay the rent?
When do I have to check out? | When can I check in?
What time is check-in? | What time is check-out?
How do I sign up for a course? | How do I sign up for an account?
How do I register for the exam? | How do I register the exam?
How do I end my contract? | When does my contract end?
How do I get out of my lease? | How do I get my lease?
How do I stop my subscription? | How do I start my subscription?
How do I cancel my membership? | How do I pause my membership?
How do I move out? | How do I move in?
When can I move in? | When do I have to move out?
How do I settle my bill? | How do I dispute my bill?
How do I dispute a charge? | How do I pay a charge?
Can I sublet my flat? | Can I rent a flat?
Who is the tenant? | Who is the landlord?
Can my tenant cancel the lease? | Can I cancel the lease of my tenant?
Can the landlord enter my flat? | Can I enter the landlord's flat?
Is my landlord allowed to keep the deposit? | Am I allowed to keep the deposit of my landlord?
Where is my license key? | Where is my license?
How do I get a license plate? | How do I get a license key?
How long is the free trial? | How much is the trial?
Where do I return the rental car? | Where do I get the rental car?
Which rental car do I get? | Which car rental is it?
How do I refinance my mortgage? | How do I pay off my mortgage?
What if I pay late? | What if I pay early?
What happens if I pay late? | What happens if I am paid late?
Can I pay off my loan early? | Can I get my loan early?
Who pays the cancellation fee? | Who pays the booking fee?
Can I use a debit card? | Can I use a credit card?
How do I open a savings account? | How do I open a current account?
How do I know if my order was shipped? | How do I know if my order was cancelled?
What is the interest rate on a loan? | What is the interest rate on savings?
What is the limit on my card? | Is there a limit on my card?
How do I set up my email? | How do I set my email as primary?
How do I back up my phone? | How do I restore my phone?
I am unable to log in | I am able to log in
I can't remember my password | I can't change my password
Someone else used my card | Someone used my card
I forgot my password. What should I do? | I forgot my username. What should I do?
My card was stolen. What should I do? | My card was found. What should I do?
How do I log in to my account? | How do I log out of my account?
How do I take over a lease? | How do I take out a lease?
How do I give the keys back? | How do I get the keys back?
Can I swap my ticket? | Can I refund my ticket?
Why has my payment been declined? | Why has my payment not been declined?
Do I have to pay customs duty? | Who has to pay customs duty?
Does travel insurance cover theft? | Does home insurance cover theft?
""",
    "de": """
Wie schalte ich die Benachrichtigungen ein? | Wie schalte ich die Benachrichtigungen aus?
Wie bucht man einen Flug? | Wie bucht man einen Flug um?
Wer vermietet die Wohnung? | Wer mietet die Wohnung?
Wie miete ich eine Wohnung? | Wie vermiete ich eine Wohnung?
Wie lange darf ich parken? | Bis wann darf ich parken?
Darf ich die Miete erhöhen? | Darf der Vermieter die Miete erhöhen?
Darf der Mieter die Miete senken? | Darf der Vermieter die Miete senken?
Darf ich den Vermieter besuchen? | Darf der Vermieter mich besuchen?
Wann ziehe ich ein? | Wann ziehe ich aus?
Wann ist der Einzug? | Wann ist der Auszug?
Wie hoch ist die Kaution? | Wann bekomme ich die Kaution zurück?
Wie lange ist die Kündigungsfrist? | Wie lange ist die Probezeit?
Ist das Frühstück im Preis enthalten? | Ist das Abendessen im Preis enthalten?
Ist Frühstück inklusive? | Gibt es Frühstück?
Ist das Parken im Preis enthalten? | Was kostet das Parken?
Wie alt muss ich sein, um ein Auto zu mieten? | Wie alt darf das Auto sein, um es zu mieten?
Ab welchem Alter darf ich mieten? | Bis zu welchem Alter darf ich mieten?
Wann muss ich auschecken? | Wann kann ich einchecken?
Wie löse ich einen Gutschein ein? | Wie löse ich ein Konto auf?
Wie lade ich mein Guthaben auf? | Wie lade ich mein Guthaben aus?
Kann ich den Vertrag pausieren? | Kann ich den Vertrag kündigen?
Wie erhöhe ich mein Limit? | Wie senke ich mein Limit?
Was kostet die Erhöhung? | Was kostet die Senkung?
Wie bestelle ich eine Ersatzkarte? | Wie bestelle ich die Ersatzkarte ab?
Wie verkaufe ich mein Auto? | Wie kaufe ich ein Auto?
Wo kann ich Waren einführen? | Wo kann ich Waren ausführen?
Muss ich die Einfuhr anmelden? | Muss ich die Ausfuhr anmelden?
Antrag auf Kredit | Antrag auf Kreditkarte
Wie stelle ich einen Antrag auf Elterngeld? | Wie stelle ich einen Antrag auf Kindergeld?
Rabatt für Studenten | Rabatt für Schüler
Gibt es einen Studentenrabatt? | Gibt es Rabatt für Senioren?
Gebühr für die Karte | Karte für die Gebühr
Kündigung des Vertrags | Vertrag der Kündigung
Was kostet die Kartengebühr? | Was kostet die Karte?
Wann kommt mein Paket an? | Wann kommt mein Paket weg?
Wie exportiere ich Kontakte? | Wie importiere ich Kontakte?
Wie hoch ist der Zählerstand? | Wie melde ich den Zählerstand?
Wo melde ich einen Schaden? | Wo melde ich mich an?
Was muss ich tun, um mich anzumelden? | Was muss ich tun, um mich abzumelden?
Was mache ich, wenn ich meine Karte verloren habe? | \
Was mache ich, wenn ich meine Karte gefunden habe?
Was passiert, wenn ich nicht zahle? | Was passiert, wenn ich zahle?
Was passiert, wenn ich früher kündige? | Was passiert, wenn ich später kündige?
Wie viel muss ich zahlen? | Wann muss ich zahlen?
Was kostet die Reparatur? | Was kostet die Versicherung?
Adresse ändern | Adresse löschen
Konto löschen | Konto eröffnen
Passwort vergessen | Passwort ändern
Mietwagen buchen | Mietwagen stornieren
Haben Sie sonntags geöffnet? | Haben Sie samstags geöffnet?
Haben Sie sonntags geöffnet? | Haben Sie sonntags geschlossen?
Wann haben Sie geöffnet? | Wann schließen Sie?
Wie sind die Öffnungszeiten am Sonntag? | Wie sind die Öffnungszeiten am Samstag?
Ist die Rechnung bezahlt? | Ist die Rechnung zu bezahlen?
Wird der Termin bestätigt? | Wie bestätige ich den Termin?
Wer zahlt die Reparatur? | Wer zahlte die Reparatur?
Was kostet das Ticket? | Was kostete das Ticket?
Lässt sich der Termin verschieben? | Lässt sich der Termin absagen?
Ist der Vermieter berechtigt, zu kündigen? | Ist der Mieter berechtigt, zu kündigen?
Wie biete ich eine Wohnung an? | Wie bitte ich um eine Wohnung?
Wer ist der Lehrer? | Wer ist der Schüler?
Wo ist die Mitte der Miete? | Wo ist die Miete der Mitte?
Welche Staaten brauchen ein Visum? | Welche Städte brauchen ein Visum?
Kann ich die Kreditkarte sperren? | Kann ich den Kredit sperren?
Wie wandle ich PDF in Word um? | Wie kann ich Word in PDF umwandeln?
Wie kann ich PDF in Word umwandeln? | Wie kann ich Word in PDF umwandeln?
Kann ich Dollar in Euro wechseln? | Kann ich Euro in Dollar wechseln?
Wie übersetze ich Deutsch in Englisch? | Wie übersetze ich Englisch in Deutsch?
Kann der Vermieter den Mieter besuchen? | Kann der Mieter den Vermieter besuchen?
Darf der Arzt den Patienten anrufen? | Darf der Patient den Arzt anrufen?
Kann der Käufer den Verkäufer verklagen? | Kann der Verkäufer den Käufer verklagen?
Wie komme ich vom Bahnhof zum Flughafen? | Wie komme ich vom Flughafen zum Bahnhof?
Wie lade ich einen Gast ein? | Wie lädt mich ein Gast ein?
Karte für das Konto | Konto für die Karte
Wer haftet, der Mieter dem Vermieter? | Wer haftet, der Vermieter dem Mieter?
Kann ich meiner Frau Geld schenken? | Kann meine Frau mir Geld schenken?
Wie vergleiche ich A mit B? | Wie vergleiche ich B mit A?
Was schuldet der Arbeitgeber dem Arbeitnehmer? | Was schuldet der Arbeitnehmer dem Arbeitgeber?
Wie kopiere ich Fotos vom Handy auf den PC? | Wie kopiere ich Fotos vom PC auf das Handy?
Wie übertrage ich Daten von Android auf iPhone? | Wie übertrage ich Daten von iPhone auf Android?
Wie verbinde ich den Drucker mit dem Laptop? | Wie verbinde ich den Laptop mit dem Drucker?
Wie hoch ist die Gebühr der Bank für den Kunden? | Wie hoch ist die Gebühr des Kunden für die Bank?
Kann ich mein Auto von Berlin nach München mitnehmen? | \
Kann ich mein Auto von München nach Berlin mitnehmen?
Kann ich vom Sparkonto auf das Girokonto umbuchen? | \
Kann ich vom Girokonto auf das Sparkonto umbuchen?
Kann ich von Netto auf Brutto umstellen? | Kann ich von Brutto auf Netto umstellen?
Brutto in Netto umrechnen | Netto in Brutto umrechnen
Brutto in Netto umrechnen | Wie rechne ich Netto in Brutto um?
Euro in Dollar umwandeln | Wie wandle ich Dollar in Euro um?
Wird der Vertrag vor der Lieferung geprüft? | Wird die Lieferung vor dem Vertrag geprüft?
Kann der Chef meinen Urlaub ablehnen? | Kann ich den Urlaub meines Chefs ablehnen?
Kann ich die Katze mit dem Hund transportieren | Kann ich den Hund mit der Katze transportieren
Kann ich von Teilzeit auf Vollzeit wechseln? | Kann ich von Vollzeit auf Teilzeit wechseln?
""",
    "es": """
¿Cuándo se devuelve la fianza? | ¿Cuándo devuelvo la fianza?
¿Cuándo me devuelven la fianza? | ¿Cuándo devuelvo la fianza?
¿Cuándo paga el seguro? | ¿Cuándo pago el seguro?
¿Quién paga la reparación? | ¿Quién pagó la reparación?
¿Cuánto pagó? | ¿Cuánto pago?
¿El casero puede subir el alquiler? | ¿El inquilino puede subir el alquiler?
¿Puede el casero cancelar el contrato? | ¿Puedo cancelar el contrato del casero?
¿Puede el inquilino denunciar al casero? | ¿Puede el casero denunciar al inquilino?
¿Cómo subo el límite? | ¿Cómo bajo el límite?
¿Cómo puedo aumentar mi límite? | ¿Cómo puedo reducir mi límite?
¿Cómo pauso mi suscripción? | ¿Cómo cancelo mi suscripción?
¿Cómo me doy de alta? | ¿Cómo me doy de baja?
¿Cómo puedo darme de baja? | ¿Cómo puedo pedir la baja médica?
¿Cómo hago un pago? | ¿Cómo hago un pedido?
¿Cómo hago una transferencia? | ¿Cómo hago una reserva?
¿Cómo hago una reserva? | ¿Cómo cancelo una reserva?
¿Cómo hago una devolución? | ¿Cómo hago una reclamación?
¿Qué edad hay que tener para alquilar un coche? | ¿Qué edad puede tener el coche para alquilar?
¿Cuál es la edad mínima? | ¿Cuál es la edad máxima?
¿A partir de qué edad puedo entrar? | ¿Hasta qué edad puedo entrar?
¿Está incluido el desayuno? | ¿Está incluida la cena?
¿El precio incluye el desayuno? | ¿Qué precio tiene el desayuno?
¿Está incluido el desayuno? | ¿Hay desayuno?
¿Se admiten perros? | ¿Se admiten gatos?
¿Aceptan mascotas? | ¿Tienen mascotas?
¿Cuándo abre el gimnasio? | ¿Cuándo cierra el gimnasio?
¿Cuál es el horario del lunes? | ¿Cuál es el horario del martes?
¿Qué pasa si pago tarde? | ¿Qué pasa si pago antes?
¿Qué hago si he perdido la tarjeta? | ¿Qué hago si he encontrado la tarjeta?
¿Qué hago si me han robado la tarjeta? | ¿Qué hago si he perdido la tarjeta?
He olvidado mi contraseña | He cambiado mi contraseña
¿Olvidé mi usuario, qué hago? | ¿Olvidé mi contraseña, qué hago?
¿Dónde puedo ver mi factura? | ¿Dónde puedo pagar mi factura?
¿Dónde recojo el coche? | ¿Dónde devuelvo el coche?
¿Cómo cambio mi dirección de envío? | ¿Cómo cambio mi dirección de facturación?
¿Cuánto cuesta el envío? | ¿Cuánto tarda el envío?
¿Cuánto cuesta la tarjeta de débito? | ¿Cuánto cuesta la tarjeta de crédito?
¿Cómo activo las notificaciones? | ¿Cómo desactivo las notificaciones?
¿Qué seguro cubre el robo? | ¿Qué cubre el seguro de robo?
¿Cubre el seguro de hogar el robo? | ¿Cubre el seguro de coche el robo?
¿Cuál es la tasa? | ¿Cuál es la taza?
¿Cómo puedo casar? | ¿Cómo puedo cazar?
¿Dónde está la casa? | ¿Dónde está la caza?
¿Cuándo es la sesión? | ¿Cuándo es la cesión?
¿Dónde puedo votar? | ¿Dónde puedo botar?
¿Cuántos años tiene? | ¿Cuántos anos tiene?
¿Cómo cancelo el depósito? | ¿Cómo cancelo el pedido?
Cambiar dirección | Cambiar contraseña
Cancelar pedido | Cancelar reserva
Cancelar pedido | ¿Está cancelado mi pedido?
¿Abren los domingos? | ¿Abren los sábados?
¿Están abiertos los domingos? | ¿Están cerrados los domingos?
¿Tengo que pagar aduana? | ¿Puedo pagar en la aduana?
¿Hay que declarar el efectivo? | ¿Cómo declaro el efectivo?
¿Hasta cuándo puedo cancelar? | ¿Desde cuándo puedo cancelar?
¿Cuánto tiempo tengo para devolver un producto? | ¿Cuánto tiempo tarda la devolución?
¿Puedo pagar a plazos? | ¿Puedo pagar en efectivo?
¿Se puede pagar antes? | ¿Se puede pagar después?
¿Cómo exporto mis contactos? | ¿Cómo importo mis contactos?
¿Cómo puedo vender mi coche? | ¿Cómo puedo comprar un coche?
¿Es obligatorio el seguro? | ¿Es posible el seguro?
¿Cuándo llega mi paquete? | ¿Cuándo llegó mi paquete?
¿Quién firma el contrato? | ¿Quién firmó el contrato?
¿Dónde se encuentra mi pedido? | ¿Dónde hago mi pedido?
¿Cómo alquilo un piso? | ¿Cómo subarriendo un piso?
""",
}


@pytest.mark.parametrize("locale", FOILS)
def test_foils_are_told_apart(locale):
    pairs = [line.split(" | ") for line in FOILS[locale].strip().splitlines()]
    assert len(pairs) > 60
    assert [pair for pair in pairs if difference(*pair, locale=locale) is None] == []
